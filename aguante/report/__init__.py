"""The report of a run, in three forms: a page (HTML), a pull-request comment (Markdown), and JUnit XML.

A report is a pure function of Plan, Measures and Verdict; it never reads rows. Whatever it shows may
come from a stranger's file or a service's answer, so every form escapes everything.
"""

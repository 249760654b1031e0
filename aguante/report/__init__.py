"""The report of a run: a page (HTML), a pull-request comment (Markdown), and JUnit XML.

A report is a pure function of Plan, Measures and Verdict. Its text may come from an untrusted file or from the
response of a service, so every format escapes everything.
"""

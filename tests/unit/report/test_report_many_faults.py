"""Several faults, and faults on processes, in the report."""

from report_factory import held_run
from test_report_charts import texts, timeline_of

from aguante.faults.planned_fault import PlannedFault
from aguante.faults.process import ProcessFault
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaFault
from aguante.report import charts
from aguante.report.chart_geometry import fault_names
from aguante.report.run_page import render_html


def with_faults():
    """The held run with a kill, twice, beside its slow link."""
    run = held_run()
    fault = ProcessFault(service="payments", action="kill")
    kills = [
        PlannedFault(id=f"crash#{n}", fault=fault, start_s=9 + 4 * n, end_s=11 + 4 * n)
        for n in range(2)
    ]
    measured = [
        run.measures.faults[0].model_copy(
            update={"id": each.id, "kind": "kill", "link": "", "service": "payments"}
        )
        for each in kills
    ]
    plan = run.plan.model_copy(update={"faults": (*run.plan.faults, *kills)})
    measures = run.measures.model_copy(update={"faults": (*run.measures.faults, *measured)})
    verdict = run.verdict.model_copy(update={"faults": measures.faults})
    return run._replace(plan=plan, measures=measures, verdict=verdict)


def test_a_fault_by_pumba_is_named_with_what_was_chosen():
    """What holds anyway is left out; shorter names follow, for where there is no room."""
    options = COMMANDS["iptables loss"].complete({"probability": 0.3, "to_ports": [80, 81]})
    fault = PumbaFault(service="payments", command="iptables loss", options=options)
    planned = PlannedFault(id="lossy", fault=fault, start_s=1, end_s=2)
    assert fault_names(planned) == (
        "lossy: iptables loss (probability 0.3, to_ports 80 81) on payments",
        "lossy: iptables loss on payments",
        "lossy",
    )


def test_each_of_several_faults_is_named_in_the_picture():
    """A fault that repeats, or stands beside another, has a band and a name of its own."""
    words = " ".join(
        str(word) for word in texts(charts.draw(timeline_of(with_faults()), charts.FRAMES[0]))
    )
    assert "slow: latency 3500 ms" in words
    assert "crash#0" in words
    assert "crash#1" in words


def test_a_fault_on_processes_is_told_by_its_service():
    """It has neither link nor toxicity, and the page does not ask it for them."""
    run = with_faults()
    page = render_html(run.plan, run.measures, run.verdict)
    assert "kill on payments" in page
    assert "crash#1: kill payments" in page

"""The last part of a run on its testbed: waits until the system has settled, then collects its final state."""

import asyncio
import time

from aguante.collect.database_dump import DumpError, dump_tables
from aguante.collect.metrics_scraper import spans_dropped
from aguante.collect.promql_samples import queries_of, run_queries, scraped_in_s, write_promql
from aguante.collect.settle import settle
from aguante.run.parts import RunContext
from aguante.run_folder.run_log import read_run_log
from aguante.testbed.runtime import Testbed, TestbedError


async def gather_evidence(context: RunContext, testbed: Testbed) -> dict[str, int | None]:
    """Collect databases, Prometheus results, drop counters and logs.

    Returns:
        Each instance's counter of dropped spans; None: it could not be read.

    Raises:
        OSError: the run folder cannot be written.
    """
    runtime = context.parts.runtime
    if all(alive() for alive in runtime.parts().values()):  # else no system can settle
        await _read_databases(context, testbed)
    await _query_prometheus(context, testbed)
    dropped = await spans_dropped(testbed)
    try:
        await runtime.save_logs(context.folder.logs)
    except TestbedError as error:  # a run can be judged without logs
        context.report(f"warning: {error}")
    return dropped


async def _read_databases(context: RunContext, testbed: Testbed) -> None:
    limit_s = context.spec.settle.within_s
    context.report(f"Waiting for the system to settle (at most {limit_s:g} s) ...")
    context.log.write(await settle(context.spec.settle, testbed))
    context.report("Reading the databases ...")
    try:
        await dump_tables(testbed.databases, context.folder.tables)
    except DumpError as error:  # the verdict then reports the invariants as unknown
        context.report(f"warning: {error}")


async def _query_prometheus(context: RunContext, testbed: Testbed) -> None:
    """Store the result of each ``promql`` query, so that judging needs no Prometheus."""
    queries = queries_of(context.plan)
    epoch_ns = read_run_log(context.folder.events).epoch_ns
    if not queries or epoch_ns is None:
        return
    context.report("Querying Prometheus ...")
    now_s = (time.time_ns() - epoch_ns) / 1e9
    await asyncio.sleep(scraped_in_s(queries, now_s) if testbed.prometheus else 0.0)
    write_promql(
        context.folder.promql, await run_queries(queries, testbed.prometheus, epoch_ns / 1e9)
    )

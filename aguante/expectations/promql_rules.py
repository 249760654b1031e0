"""PromQL, checked before anything starts: a typing error is not found out after a whole run."""


def promql_fault(query: str) -> str:
    """Why a query cannot be asked over a window of time, or empty.

    Names of metrics and labels are not checked: nobody but Prometheus knows them.

    >>> promql_fault("rate(up)")
    "expected type matrix in call to function 'rate', got vector"
    >>> promql_fault("sum(up)")
    ''
    """
    # Imported here: `aguante --help` reads no query.
    import promql_parser

    try:
        parsed = promql_parser.parse(query)
    except ValueError as why:
        return str(why)
    if isinstance(parsed, promql_parser.MatrixSelector):
        return "a range of samples has no one value: take rate(), max_over_time() or the like of it"
    if isinstance(parsed, promql_parser.StringLiteral):
        return "a text is no value"
    return ""

"""The choices at the top of dashboards, and where their panels lead."""

from __future__ import annotations

from typing import Final

from dashboards.grafana import Link, Variable
from dashboards.queries import select

__all__ = ["DATASOURCE", "KIND", "REPORT", "REPORTS", "WINDOW", "of_a_run"]

DATASOURCE: Final = Variable(
    name="datasource",
    label="Prometheus",
    description="Which Prometheus has the bench's metrics.",
    type="datasource",
    query="prometheus",
)
WINDOW: Final = Variable(
    name="window",
    label="Window",
    description="Each point over time is the mean of so long; some messages should fall into it.",
    type="interval",
    query="30m,1m,5m,1h,6h,1d",
)
REPORTS: Final = Variable(
    name="reports",
    label="Reports",
    description="Where the folder of run directories is served: links lead to reports there.",
    type="textbox",
    query="http://127.0.0.1:8000",
)
KIND: Final = Variable(
    name="kind",
    label="Energy",
    description="Measured by a meter, or estimated by a model: never both on one panel.",
    query=f"label_values({select('message_energy_joules', 'count', origin='$origin')}, kind)",
)
REPORT: Final = Link("Report of $run", "${reports:raw}/${run}/report.html")


def of_a_run(info: str = "run_info", *, payload: bool = True) -> tuple[Variable, ...]:
    """The variables that tell runs apart.

    Args:
        info: the metric whose labels they are.
        payload: whether what is shown has that label.
    """
    bench = {"bench": "=~$bench", "module": "=~$module"}
    found = [
        Variable(
            name="origin",
            label="Origin",
            description="Real modules, or virtual ones: never both on one panel.",
            query=f"label_values({select(info)}, origin)",
        ),
        Variable(
            name="bench",
            label="Bench",
            description="Name of the bench.",
            query=f"label_values({select(info, origin='$origin')}, bench)",
            multi=True,
        ),
        Variable(
            name="module",
            label="Module",
            description="Family of the module.",
            query=f"label_values({select(info, origin='$origin', bench='=~$bench')}, module)",
            multi=True,
        ),
    ]
    narrowed = select(info, origin="$origin", **bench)
    if payload:
        found.append(
            Variable(
                name="payload",
                label="Payload",
                description="Where the payloads come from.",
                query=f"label_values({narrowed}, payload)",
                multi=True,
            )
        )
    found.append(
        Variable(
            name="run",
            label="Run",
            description="The run whose report the panels lead to; it narrows nothing.",
            query=f"label_values({narrowed}, run)",
        )
    )
    return tuple(found)

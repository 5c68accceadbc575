"""The report's sections as HTML, each made from the run and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from urllib.parse import quote

from testbed.analysis.air import OUTER_BYTES
from testbed.analysis.parameters import DEFAULT, MODEL, Parameter
from testbed.analysis.rows import ConfigurationRow, PacketSummary, RunSummary, SessionSummary
from testbed.report import figures
from testbed.report.blocks import cells, section, table
from testbed.report.html import Html, element, join
from testbed.report.plots import MAX_POINTS, Figure
from testbed.report.run import RunView
from testbed.results.manifest import Manifest

__all__ = [
    "air_table",
    "energy_section",
    "faults_section",
    "feedback_section",
    "files_section",
    "headline",
    "keepalive_section",
    "manifest_section",
    "module_name",
    "notes_section",
    "plot_section",
    "sessions_section",
    "title",
]


def module_name(view: RunView) -> str:
    """The module as it identified itself, or its family where it did not."""
    identity = view.manifest.module
    maker, model = (
        str(identity.get(key) or "").replace("_", " ").strip() for key in ("manufacturer", "model")
    )
    if maker and model.lower().startswith(maker.split()[0].lower()):
        return model  # Quectel_BC66 by Quectel_Ltd is a Quectel BC66
    return f"{maker} {model}".strip() or view.summary.run.module or "a module"


def title(view: RunView) -> str:
    """The page's title."""
    return f"{view.name} · {module_name(view)}"


def headline(view: RunView) -> Html:
    """What was run, on what, and how far the figures may be trusted."""
    run, manifest = view.summary.run, view.manifest
    firmware = manifest.module.get("firmware")
    what = [
        f"{view.summary.messages} messages"
        + (f" of {run.traffic}" if run.traffic else "")
        + f" over {_plural(len(view.summary.rows), 'configuration')}.",
        f"Firmware {firmware}." if firmware else None,
        f"Bench {run.bench}." if run.bench else None,
        f"Seed {run.seed}.",
        f"Begun {_moment(manifest.started_at)}"
        + (f", ended {_moment(manifest.ended_at)}." if manifest.ended_at else "."),
    ]
    return element(
        "header",
        element(
            "div",
            element("span", f"BEST testbed · run {view.name}", class_="eyebrow"),
            element("button", "Theme: auto", id="theme", type="button"),
            class_="line",
        ),
        element("h1", f"What security costs per message on {module_name(view)}"),
        element("p", " ".join(part for part in what if part), class_="soft"),
        element("div", *_badges(view), class_="badges"),
        class_="top",
    )


def _moment(stamp: str) -> str:
    """A time stamp without its milliseconds; anything else as it is."""
    day, separator, clock = stamp.partition("T")
    return f"{day} {clock.partition('.')[0]} UTC" if separator and clock.endswith("Z") else stamp


def _badges(view: RunView) -> Iterator[Html]:
    run, summary = view.summary.run, view.summary
    if summary.status != "complete":
        yield _badge(
            f"{summary.status}: the figures are those of the messages that were sent", True
        )
    yield _badge(f"{run.origin} module", run.origin != "real")
    if run.settings.get("usim") == "soft":
        yield _badge("soft USIM", True)
    if run.time != "real":
        yield _badge(figures.modelled_time(run), True)
    kinds = figures.energy_kinds(summary.rows)
    if kinds:
        yield _badge(f"energy {kinds}", "estimated" in kinds)
    if view.manifest.test_keys:
        yield _badge("test keys: this directory decrypts its capture", True)


def _badge(text: str, warn: bool) -> Html:
    return element("span", text, class_="badge warn" if warn else "badge")


def plot_section(
    heading: str,
    figure: Figure | None,
    *text: object,
    without: str,
    below: Html | None = None,
) -> Html:
    """A section with a plot, or with the reason why there is none.

    Args:
        heading: the section's heading.
        figure: the plot; None when there is nothing to draw.
        text: what stands above the plot.
        without: what stands there instead of a plot.
        below: what stands below the plot.
    """
    if figure is None:
        return section(heading, *text, element("p", without, class_="soft"))
    choose = None
    if len(figure.variants) > 1:
        name = f"choose-{figure.name}"
        choose = element(
            "div",
            element("label", "Show ", for_=name),
            element("select", *_options(figure), id=name, autocomplete="off"),
            class_="choose",
        )
    thinned = None
    if figure.thinned:
        thinned = element(
            "p",
            f"Thinned to at most {MAX_POINTS} points, the least and the largest of each stretch "
            "kept; the run's files have all of them.",
            class_="soft small",
        )
    return section(
        heading,
        *text,
        choose,
        element("div", class_="legend", id=f"legend-{figure.name}"),
        element(
            "div",
            class_="plot",
            id=f"plot-{figure.name}",
            role="img",
            aria_label=figure.summary,
            style=f"min-height:{figure.height}px",
        ),
        thinned,
        below,
    )


def _options(figure: Figure) -> Iterator[Html]:
    """What there is to choose, in groups where the variants say so."""
    for group, variants in groupby(figure.variants, key=lambda variant: variant.group):
        options = (element("option", variant.label) for variant in variants)
        if group:
            yield element("optgroup", *options, label=group)
        else:
            yield from options


def air_table(summary: RunSummary) -> Html | None:
    """What is modelled of the air, per configuration; None where nothing was sent."""
    rows = [(row.configuration, row.air) for row in summary.rows if row.air is not None]
    if not rows:
        return None
    return join(
        [
            element(
                "p",
                element("strong", "Modelled, not observed. "),
                "What the network's own header compression (PDCP's ROHC, our codec as its shadow) "
                "would leave of the outer IP and UDP headers, and NPUSCH transport blocks per "
                "uplink message at each coverage level.",
                class_="small",
            ),
            table(
                (
                    "configuration",
                    "outer headers",
                    "under ROHC, context kept",
                    "under ROHC, new context per connection",
                    "blocks, ECL 0",
                    "ECL 1",
                    "ECL 2",
                ),
                [
                    (
                        name,
                        f"{OUTER_BYTES} B",
                        f"{figures.byte_count(air.outer_continued_bytes)} B",
                        f"{figures.byte_count(air.outer_anew_bytes)} B",
                        *(figures.byte_count(blocks) for blocks in air.blocks),
                    )
                    for name, air in rows
                ],
            ),
        ]
    )


def energy_section(summary: RunSummary, figure: Figure | None) -> Html:
    """The energy by state, with what the figures are worth."""
    text: list[object] = []
    models = {
        row.energy[0].model
        for row in summary.rows
        if row.energy and row.energy[0].kind == "estimated"
    }
    if models:
        text.append(
            element(
                "p",
                element("strong", "Estimated, not measured. "),
                f"Model {', '.join(sorted(models))}: the stages of each message, its bytes and the "
                "coverage, times published currents. Differences between configurations come from "
                "bytes and stages only; the absolute value depends on the module.",
            )
        )
    notes = [note for row in summary.rows for note in _energy_notes(row)]
    if notes:
        text.append(element("ul", *(element("li", note) for note in notes), class_="notes small"))
    return plot_section(
        "Energy per message",
        figure,
        *text,
        without="The journal has no energy figures.",
        below=_parameters() if MODEL in models else None,
    )


def _energy_notes(row: ConfigurationRow) -> Iterator[str]:
    if not row.energy:
        return
    means = row.energy[0]
    stated = figures.energy_range(means)
    parts = [f"the model's range is {stated}"] if stated else []
    parts += [f"{what} assumed in {count} of {means.messages}" for what, count in means.assumed]
    if parts:
        yield f"{row.configuration}: {'; '.join(parts)}."


def _parameters() -> Html:
    """The model's table, for who wants to know what the estimate rests on."""
    head = ("parameter", "value", "low to high", "source")
    return element(
        "details",
        element("summary", f"Parameters of the energy model {MODEL}, with their sources"),
        table(
            head,
            [
                (name, _value(row, row.best), _range(row), row.source)
                for name, row in DEFAULT.rows()
            ],
        ),
    )


def _value(parameter: Parameter, value: float) -> str:
    unit = parameter.unit
    if unit in ("A", "s", "s/B") and value < 1:
        if value < 1e-4:
            return f"{value * 1e6:.3g} µ{unit}"
        return f"{value * 1e3:.3g} m{unit}"
    return f"{value:.3g} {unit}"


def _range(parameter: Parameter) -> str:
    if parameter.low == parameter.high:
        return figures.NOTHING
    return f"{_value(parameter, parameter.low)} to {_value(parameter, parameter.high)}"


def sessions_section(summary: RunSummary) -> Html:
    """What setting up the sessions cost, apart from the messages."""
    rows = [(row.configuration, row.session) for row in summary.rows if row.session is not None]
    if not rows:
        return section("Sessions", element("p", "No session was set up.", class_="soft"))
    return section(
        "Sessions",
        element("p", "Key exchanges with the HSE; their bytes are in no message.", class_="soft"),
        table(
            (
                "configuration",
                "sessions",
                "requests",
                "bytes up",
                "bytes down",
                "messages",
                "USIM",
                "mean set-up",
                "energy",
                "re-keyed by itself",
            ),
            [
                (
                    name,
                    str(session.sessions),
                    str(session.attempts),
                    str(session.bytes_up),
                    str(session.bytes_down),
                    _messages(session),
                    _usim(session),
                    figures.seconds(session.setup_s),
                    figures.energy(session.energy_j),
                    _rekeyings(session),
                )
                for name, session in rows
            ],
        ),
    )


def _messages(session: SessionSummary) -> str:
    """How many, and their octets without lower layers and marker."""
    if session.key_agreement is None:
        return figures.NOTHING
    return (
        f"{session.messages_up} up, {session.messages_down} down: {session.message_bytes_up} and "
        f"{session.message_bytes_down} bytes"
    )


def _usim(session: SessionSummary) -> str:
    """How it was reached, how long it took, and how often it was out of step."""
    if session.key_agreement != "aka":
        return figures.NOTHING
    text = f"{' and '.join(session.usim) or 'no way'}, {figures.seconds(session.usim_s)} each"
    times = session.resynchronisations
    return f"{text}; resynchronised {times} times" if times else text


def _rekeyings(session: SessionSummary) -> str:
    """How often, why, and at what cost."""
    if not session.rekey_reasons:
        return figures.NOTHING
    reasons = ", ".join(f"{count} {why}" for why, count in session.rekey_reasons.items())
    text = (
        f"{session.rekeyings} ({reasons}): {session.rekey_bytes_up} and "
        f"{session.rekey_bytes_down} bytes, {figures.seconds(session.rekey_s)} each, "
        f"{figures.energy(session.rekey_energy_j)}"
    )
    return f"{text}; {session.failed} not answered" if session.failed else text


def faults_section(summary: RunSummary) -> Html | None:
    """What went wrong with the module; None when nothing did."""
    if not summary.faults:
        return None
    return section(
        "When the module failed",
        element(
            "p",
            "Away is from what was noticed to the module attached again; its messages meanwhile "
            "are among the lost and failed ones.",
            class_="soft",
        ),
        table(
            ("at", "what", "configuration", "after message", "away", "attempts"),
            [
                (
                    figures.clock(fault.noticed_at_s),
                    fault.fault,
                    fault.configuration,
                    figures.NOTHING if fault.after is None else str(fault.after),
                    figures.away(fault).removeprefix("away "),
                    str(fault.attempts),
                )
                for fault in summary.faults
            ],
        ),
    )


def feedback_section(summary: RunSummary) -> Html | None:
    """What ROHC feedback in packets of its own cost; None when there was none."""
    return _packets_section(
        "ROHC feedback in packets of its own",
        "Feedback that rode on a message counts as its ROHC header.",
        [(row.configuration, row.feedback) for row in summary.rows],
    )


def keepalive_section(summary: RunSummary) -> Html | None:
    """What NAT keepalives cost; None when there was none."""
    return _packets_section(
        "NAT keepalives",
        "The energy of one that was sent while an answer was awaited is in that message's figure.",
        [(row.configuration, row.keepalives) for row in summary.rows],
    )


def _packets_section(
    title: str, text: str, summaries: Sequence[tuple[str, PacketSummary | None]]
) -> Html | None:
    rows = [(name, packets) for name, packets in summaries if packets is not None]
    if not rows:
        return None
    return section(
        title,
        element("p", text, class_="soft"),
        table(
            ("configuration", "packets up", "packets down", "bytes up", "bytes down", "energy"),
            [
                (
                    name,
                    str(packets.packets_up),
                    str(packets.packets_down),
                    str(packets.bytes_up),
                    str(packets.bytes_down),
                    f"{figures.energy(packets.energy_j)} {packets.energy_kind or ''}".strip(),
                )
                for name, packets in rows
            ],
        ),
    )


def notes_section(summary: RunSummary) -> Html | None:
    """What a reader must know; None when there is nothing."""
    if not summary.notes:
        return None
    notes = (element("li", note) for note in summary.notes)
    return section("Notes", element("ul", *notes, class_="notes"))


def manifest_section(manifest: Manifest) -> Html:
    """All of the manifest, the configuration folded away."""
    plain = manifest.to_dict()
    config = plain.pop("config", {})
    for name in ("notes", "decrypt"):
        plain.pop(name, None)
    return section(
        "Manifest",
        table(("field", "value"), list(_flat(plain))),
        element(
            "details",
            element("summary", "Bench description as it was used"),
            table(("field", "value"), list(_flat(config))),
        )
        if config
        else None,
    )


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings and lists as dotted names, empty ones left out."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _flat(entry, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, list | tuple):
        if value and all(isinstance(entry, str | int | float) for entry in value):
            yield prefix, " ".join(str(entry) for entry in value)
        else:
            for position, entry in enumerate(value):
                yield from _flat(entry, f"{prefix}[{position}]")
    elif value is not None and value != "":
        yield prefix, str(value)


def files_section(view: RunView) -> Html:
    """The raw files, with what it takes to check and to decrypt them."""
    decrypt = view.manifest.decrypt
    return section(
        "Raw files",
        element("p", "This page was made from these files alone.", class_="soft"),
        join(
            [
                element("p", "Decrypt the capture with the keys beside it:"),
                element("pre", decrypt),
            ]
        )
        if decrypt
        else None,
        element(
            "div",
            element(
                "table",
                element("thead", cells("th", ("file", "bytes", "sha256"))),
                element(
                    "tbody",
                    *(
                        element(
                            "tr",
                            element("td", element("a", file.name, href=quote(file.name))),
                            element("td", str(file.size)),
                            element("td", file.sha256, class_="mono"),
                        )
                        for file in view.files
                    ),
                ),
                class_="left",
            ),
            class_="scroll",
        ),
    )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

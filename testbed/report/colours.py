"""The colours of configurations, byte layers and states: the same in report and live page."""

from __future__ import annotations

from typing import Final

from testbed.analysis.bytes import Layer

__all__ = ["COLOURS", "LAYER_COLOURS", "MORE_COLOURS", "STATE_COLOURS"]

COLOURS: Final = {
    "none": "#7c8896",
    "rohc": "#0d9488",
    "esp-transport": "#a855f7",
    "esp-tunnel": "#3b82f6",
    "rohc+esp-tunnel": "#ea7317",
}
MORE_COLOURS: Final = ("#db2777", "#65a30d", "#b45309", "#4f46e5", "#0891b2")

LAYER_COLOURS: Final[dict[Layer, str]] = {
    Layer.OUTER_IP: "#64748b",
    Layer.OUTER_UDP: "#94a3b8",
    Layer.ESP_HEADER: "#1e5fd6",
    Layer.ESP_IV: "#4f8df5",
    Layer.ROHC_HEADER: "#ea7317",
    Layer.INNER_IP: "#8b3fd9",
    Layer.INNER_UDP: "#b98aee",
    Layer.COAP: "#7cc9a0",
    Layer.APPLICATION: "#2e9e5b",
    Layer.ROHC_ICV: "#b45309",
    Layer.ESP_PADDING: "#9cc3fb",
    Layer.ESP_TRAILER: "#6ea6f8",
    Layer.ESP_ICV: "#17479e",
}

STATE_COLOURS: Final = {
    "set-up": "#4f8df5",
    "transmit": "#ea7317",
    "receive": "#2e9e5b",
    "tail": "#94a3b8",
    "sleep": "#64748b",
}

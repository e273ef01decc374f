"""Charts of an SAE taken apart."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from saewidgets.languages import said
from saewidgets.records import TokenParts
from saewidgets.views import _style

__all__ = ["token_features"]


def token_features(parts: TokenParts, position: int, most: int = 40) -> go.Figure:
    """The features that are on at one token, strongest first: the length of what each adds to the reconstruction, model
    units.
    """
    on = parts.active(position)[:most]
    lengths = np.linalg.norm(parts.contributions(position)[:most], axis=1)
    names = [_style.text(f"#{parts.features[k]} {parts.labels[k]}".strip()) for k in on.tolist()]
    fig = _style.figure(
        title=said("What the SAE finds in token {position}", position=position),
        x=said("length of its part"),
        y="",
        height=110 + 22 * len(on),
    )
    fig.add_bar(
        x=lengths,
        y=list(range(len(on))),
        orientation="h",
        marker_color=_style.UP,
        customdata=parts.activations[position, on],
        hovertemplate=said("activation %{customdata:.4g}<br>length %{x:.4g}<extra></extra>"),
    )
    fig.update_yaxes(tickvals=list(range(len(on))), ticktext=names, autorange="reversed")
    return fig

"""What a color-blindness and contrast check needs, from the papers: sRGB, CIELAB, CIEDE2000, three simulations, WCAG contrast."""

from __future__ import annotations

import numpy as np

# Machado, Oliveira & Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency", table 1, severity 1.0.
VISION = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
# Linear sRGB to CIE XYZ, D65 (IEC 61966-2-1), and the white it gives.
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = XYZ.sum(1)


def rgb(color: str) -> np.ndarray:
    """[3] in 0..1 of "#rrggbb" or "#rgb"."""
    digits = color.removeprefix("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    return np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255


def mix(over: np.ndarray, share: float, under: np.ndarray) -> np.ndarray:
    """CSS color-mix(in srgb, over share, under): a mean of the encoded values."""
    return share * over + (1 - share) * under


def linear(encoded: np.ndarray) -> np.ndarray:
    """sRGB values as light."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def lab(encoded: np.ndarray, vision: str = "full") -> np.ndarray:
    """CIELAB [..., 3] of sRGB colors [..., 3] as an eye of this kind sees them."""
    light = np.clip(linear(encoded) @ VISION[vision].T, 0, 1)
    t = light @ XYZ.T / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def ciede2000(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Color difference of CIELAB colors [..., 3], as Sharma, Wu & Dalal 2005 write it; about 2 is just seen side by side."""
    L1, a1, b1 = np.moveaxis(np.asarray(one, float), -1, 0)
    L2, a2, b2 = np.moveaxis(np.asarray(other, float), -1, 0)
    mean_C = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    G = 0.5 * (1 - np.sqrt(mean_C**7 / (mean_C**7 + 25.0**7)))
    a1, a2 = (1 + G) * a1, (1 + G) * a2
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    gray = C1 * C2 == 0
    dh = np.where(gray, 0, (h2 - h1 + 180) % 360 - 180)
    dH = 2 * np.sqrt(C1 * C2) * np.sin(np.radians(dh / 2))
    mean_h = np.where(gray, h1 + h2, np.where(np.abs(h1 - h2) <= 180, (h1 + h2) / 2, (h1 + h2 + 360) / 2 % 360))
    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    T = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    S_L = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2)
    S_C, S_H = 1 + 0.045 * C, 1 + 0.015 * C * T
    turn = -np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2)))) * 2 * np.sqrt(C**7 / (C**7 + 25.0**7))
    dL, dC, dh = (L2 - L1) / S_L, (C2 - C1) / S_C, dH / S_H
    return np.sqrt(dL**2 + dC**2 + dh**2 + turn * dC * dh)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """WCAG 2 contrast ratio of two sRGB colors [3], 1 to 21."""
    high, low = sorted((float(linear(c) @ XYZ[1]) + 0.05 for c in (one, other)), reverse=True)
    return high / low


def closest(colors: dict[str, np.ndarray]) -> tuple[float, str, str, str]:
    """(CIEDE2000, vision, name, name) of the two colors that are hardest to tell apart, over all kinds of vision."""
    names = list(colors)
    found = []
    for vision in VISION:
        seen = np.stack([lab(colors[name], vision) for name in names])
        for i in range(len(names)):
            for j in range(i):
                found.append((float(ciede2000(seen[i], seen[j])), vision, names[j], names[i]))
    return min(found)

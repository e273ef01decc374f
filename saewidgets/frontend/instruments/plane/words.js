// The words of the plane, one table per language.

export const words = {
  en: {
    widget: "Feature plane",
    point: "Activation point",
    pointAt: "x {x}, y {y}",
    angle: "Angle of {name}",
    arrow: "Direction of {name}",
    add: "Add a direction",
    spread: "Spread evenly",
    remove: "Remove {name}",
    directions: "Directions",
    readouts: "What each feature reads",
    readoutsNote: "Dot product of the point with the direction, and what a ReLU lets through of it.",
    feature: "feature",
    readout: "read-out",
    relu: "ReLU",
    interference: "Interference between features",
    interferenceNote:
      "A point at distance 1 along the row also reads this much on the column: the cosine of the angle between them.",
    circle: "circle: length {unit}",
    on: "on",
    offState: "off",
    jump: "Snap the point",
    jumpTo: "Snap the point to {name}",
    degrees: "{value}°",
    help:
      "Drag the point or the head of an arrow; or focus one and press the arrow keys (with Shift: bigger steps). " +
      "Dashed: the projection of the point on each direction. Dotted: the projection of the arrow under the mouse on " +
      "the others.",
    picture: "{n} feature directions in a plane and one activation point",
  },
};

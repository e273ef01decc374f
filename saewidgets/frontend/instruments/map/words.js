// The words of the map, one table per language.

export const words = {
  en: {
    widget: "Feature map",
    picture:
      "Map of {n} features. Arrow keys go to the nearest point on that side, plus and minus zoom, 0 shows the whole " +
      "map, Space adds the point to the chosen ones.",
    parts: "Its parts are called: {names}.",
    between: "; ",
    tool: "Dragging",
    tools: { pan: "moves", lasso: "lassos", box: "boxes" },
    color: "Color",
    colors: {
      concept: "planted concept",
      density: "density",
      cluster: "cluster",
      sae: "SAE",
      output: "output score",
      input: "input score",
    },
    size: "Size",
    sizes: { density: "density", maximum: "maximum", same: "the same" },
    links: "Links between sizes",
    linksOf: { selected: "of the selected", all: "all", none: "none" },
    whole: "Whole map",
    closer: "Zoom in",
    farther: "Zoom out",
    wheel: "{key} and the wheel zoom. So does the wheel alone after a click on the map.",
    search: "Find a feature or token",
    placeholder: "Label, concept, token or number",
    found: "{n} found",
    notFound: "nothing found",
    results: "Points that were found",
    clear: "Clear",
    cluster: "Cluster",
    clusterOf: "cluster {at}, {n} features",
    noCluster: "in no cluster",
    others: "no or another concept",
    unknown: "not known",
    silent: "never active",
    only: "Show only {name}",
    of: "#{feature} of {sae}",
    unlabeled: "no label",
    concept: "fires on",
    conceptShare: "{name} ({share} of its tokens)",
    density: "Density",
    maximum: "Maximum",
    output: "Output score",
    input: "Input score",
    promotes: "Promotes",
    parents: "Comes from, in a smaller SAE",
    children: "Splits into, in a larger SAE",
    noLinks: "No feature of another size has a cosine of {threshold} or more with it.",
    away: "A feature of another SAE than the views beside this one show: they stay where they are.",
    details: "The selected feature",
    none: "No feature is selected. Click a point.",
    chosen: "{n} chosen",
    chosenHow: "In Python: .to_dataframe()",
    help:
      "Click a point, or focus the map and press the arrow keys. {key} and the wheel zoom; after a click on the map " +
      "the wheel alone does. Shift and drag lassos.",
    shows:
      "What it does not show: distances between far points mean little, and where two points lie says nothing of " +
      "what the features do to the model.",
    scoresShow:
      "Scores are of the tokens that a feature promotes most; whether a clamped text is about a concept, a " +
      "dose-response tells.",
    named: "Names on the map say what the features around them promote far oftener than others.",
    said: "{name}, {label}. {density}",
  },
};

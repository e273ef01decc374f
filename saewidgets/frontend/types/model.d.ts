// The traits of each instrument. Written by scripts/write_types.py from the Python classes: change those, and run it again.

/** Of every instrument. */
export interface SharedTraits {
  _heard: number;
  _id: string;
  _language: string;
  _mended: number;
  /** What went wrong last, in one sentence; empty when nothing did. */
  error: string;
  /** Set by a page without a kernel. */
  _static?: boolean;
}

export interface ArchitecturePanelTraits extends SharedTraits {
  _shown: Record<string, any>;
  _tokens: any[];
  /** The selected feature. */
  feature: number | null;
  /** The token that is looked at. */
  position: number;
}

export interface ClampPanelTraits extends SharedTraits {
  _answers: Record<string, any>;
  _comparisons: any[];
  _examples: any[];
  _history: any[];
  _index: any[];
  _kernel: string;
  _measured: any[];
  _passport: string;
  _presets: any[];
  _recorded: Record<string, any> | null;
  _rows: any[];
  _texts: Record<string, any>;
  /** What a third text is written under, one of `comparisons`; empty: none. */
  compare: string;
  /** The selected feature. */
  feature: number | null;
  /** The features that have a row, in order. */
  features: number[];
  /** Whether each token's log-probability is drawn. */
  logprobs: boolean;
  /** Words and phrases to look for in the answers, between commas. */
  look_for: string;
  /** {feature: multiple of its maximum}; None or absent is off, 0 ablates. */
  multiples: Record<string, any>;
  /** So many more answers are written at a time. */
  n_answers: number;
  /** At most so many tokens are written. */
  n_tokens: number;
  /** The text to continue, or the dialogue to answer. */
  prompt: string | { role: string; content: string }[];
  scope: number | string;
  seed: number;
  status: "idle" | "writing" | "answering" | "stopped" | "error";
  /** 0 takes the likeliest token each time. */
  temperature: number;
  waiting: string;
}

export interface CompletenessLabTraits extends SharedTraits {
  _code: string;
  _lab: Record<string, any>;
  /** The concept that is taken apart. */
  concept: string;
  /** The SAE whose concepts are listed. */
  sae: string;
}

export interface DirectionsLabTraits extends SharedTraits {
  _code: string;
  _lab: Record<string, any>;
  /** The relation that is shown. */
  relation: string;
  /** The hook point whose vectors are shown. */
  space: string;
}

export interface DoseResponseTraits extends SharedTraits {
  _code: string;
  _point: string;
  _shown: Record<string, any>;
  _sweep: Record<string, any>;
}

export interface FeatureDashboardTraits extends SharedTraits {
  _about: Record<string, any>;
  _bin: Record<string, any> | null;
  _index: any[];
  _measuring: boolean;
  _passport: string;
  _shown: Record<string, any>;
  /** The feature that is shown. */
  feature: number;
  /** The chosen bin, [feature, low, high] in SAE units; None: none. */
  interval: number[] | null;
  /** {feature: label} that the reader gave, beside the labels of the data; also in the selection's `labels`. */
  names: Record<string, any>;
  /** The chosen token, [context, position] in the corpus; None: none. */
  token: number[] | null;
}

export interface FeatureMapTraits extends SharedTraits {
  _home: number;
  _map: Record<string, any>;
  _names: Record<string, any>;
  _passport: string;
  _shared: boolean;
  /** Points inside the lasso, ascending. */
  chosen: number[];
  /** What the colors tell. */
  color: "concept" | "density" | "cluster" | "sae" | "output" | "input";
  /** The selected feature of the SAE that the map is about. */
  feature: number | null;
  /** Which links between SAEs are drawn. */
  links: "selected" | "all" | "none";
  /** The selected point, of any SAE: a row of the data. */
  point: number | null;
  /** Indices of the SAEs that are drawn. */
  shown: number[];
  /** What the sizes tell. */
  size: "density" | "maximum" | "same";
}

export interface FeaturePlaneTraits extends SharedTraits {
  /** Of the directions, degrees. */
  angles: number[];
  labels: string[];
  /** What the picture is of. */
  note: string;
  /** The activation, (x, y). */
  point: [number, number];
  /** Length at which the directions are drawn. */
  unit: number;
}

export interface FeatureProbeTraits extends SharedTraits {
  _beside: any[];
  _can: any[];
  _names: Record<string, any>;
  _passport: string;
  _prompt: Record<string, any>;
  /** The token whose logit is subtracted; empty: the mean. */
  baseline: string;
  /** Other texts, in which the same feature is shown. */
  beside: (string | { role: string; content: string }[])[];
  /** The feature whose heat is shown. */
  feature: number | null;
  /** Features in colors of their own. */
  pinned: number[];
  /** The token whose features are listed; None: all. */
  position: number | null;
  /** What the features are sorted by. */
  sort: "activation" | "share" | "quantile" | "attribution" | "ablation" | "loss_effect";
  status: "idle" | "reading" | "measuring" | "error";
  /** The next token whose logit is asked for. */
  target: string;
  /** What is read: a text, or a dialogue in the model's own form. */
  text: string | { role: string; content: string }[];
  waiting: string;
}

export interface FeatureSearchTraits extends SharedTraits {
  _concepts: any[];
  _modes: any[];
  _passport: string;
  _results: Record<string, any>;
  _share: number | null;
  /** Least activation in the texts with it. */
  at_least: number;
  /** Largest activation in the texts without it. */
  at_most: number;
  /** Whether upper and lower case differ. */
  case: boolean;
  /** What counts of several continuations. */
  combine: string;
  /** The feature that was opened. */
  feature: number | null;
  /** What kind of question is asked. */
  mode: string;
  /** Its second part, where the mode has one. */
  other: string;
  /** The question. */
  query: string;
  /** Whether the text is a regular expression. */
  regex: boolean;
  /** Whether activations are shares of the maxima. */
  relative: boolean;
  /** Which tokens are pushed. */
  scope: number | string;
  status: "idle" | "searching" | "stopped" | "error";
  waiting: string;
  /** Whether any of the words should come next. */
  words: boolean;
}

export interface GradingSheetTraits extends SharedTraits {
  _code: string;
  _compared: any[];
  _sheet: Record<string, any>;
  /** The answers in the order given, each [score or None, seconds that it took]. */
  grades: any[][];
}

export interface SpecificityLabTraits extends SharedTraits {
  _code: string;
  _lab: Record<string, any>;
  _shown: Record<string, any>;
  /** Whose scores are drawn. */
  judge: string;
  /** The interval whose examples are shown, 0 the weakest. */
  level: number;
  /** Only examples with this score are shown; None: all. */
  score: number | null;
}

export interface SuperpositionLabTraits extends SharedTraits {
  _chosen_before: boolean;
  _diagram: Record<string, any>;
  _picture: Record<string, any>;
  _presets: any[];
  _recovered: Record<string, any>;
  /** Of the read-out. */
  activation: "relu" | "linear";
  /** Length of the attack that is drawn, in mean lengths of an input. */
  attack: number;
  /** P(x_i != 0), one per model. */
  densities: number[];
  /** Of the hidden layer. */
  hidden: "relu" | "linear";
  /** Importance of feature i is this to the power i. */
  importance_decay: number;
  /** Weight of |h| in the loss. */
  l1: number;
  /** The feature of the toy models that is marked. */
  marked: number | null;
  /** n */
  n_features: number;
  /** m */
  n_hidden: number;
  /** The experiment of the paper that was chosen last, such as "M0"; "" is none. */
  preset: string;
  /** What is trained next that no slider shows, of a lab that began with a run. */
  recipe_note: string;
  /** Whether the features of a set are on together, or never. */
  relation: "independent" | "correlated" | "anticorrelated";
  /** Of the SAE. */
  sae_architecture: "relu" | "topk";
  /** Features of the SAE; 0 is twice as many as the toy has. */
  sae_features: number;
  /** The input that is attacked, where no feature is marked: a number of a sample. */
  sample: number;
  /** Of the starts and the inputs. */
  seed: number;
  /** The model whose details are shown. */
  selected: number;
  /** Features in each set. */
  set_size: number;
  /** Models side by side, or a phase diagram. */
  shows: "models" | "phases";
  /** The snapshot that is shown; -1 is the last. */
  snapshot: number;
  status: "ready" | "training" | "finished" | "stopped" | "recorded" | "error";
  /** Of training. */
  steps: number;
  /** Give back x, or compute |x|. */
  task: "reconstruct" | "absolute";
  /** Models trained for each density; the best is shown. */
  tries: number;
  /** The group of views of the chosen model that is open. */
  view: "overview" | "graph" | "matrix" | "loss" | "attack" | "recovery";
}

export interface TrainingMonitorTraits extends SharedTraits {
  _again: boolean;
  _runs: any[];
  _speed: any[];
  /** Name of the run in front; the others are drawn faint. */
  selected: string;
  status: "ready" | "training" | "paused" | "finished" | "stopped" | "error";
  /** Steps that the run will take; 0 where that is not known. */
  total: number;
}

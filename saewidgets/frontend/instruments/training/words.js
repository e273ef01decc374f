// The words of the training monitor, one table per language.

export const words = {
  en: {
    widget: "Training monitor",
    start: "Start",
    pause: "Pause",
    resume: "Resume",
    again: "Try again",
    stop: "Stop and keep",
    stopTitle:
      "End the training here. The SAE stays as it is after the current step and can be used at once; " +
      "this run does not go on.",
    status: {
      ready: "ready",
      training: "training",
      paused: "paused",
      finished: "finished",
      stopped: "stopped",
      error: "failed",
    },
    kept: "stopped at step {step}; the SAE is kept as it is",
    recorded: "A recording of a training.",
    before: "Nothing has been trained yet. With the first step the curves appear here: {names}.",
    between: ", ",
    beforeStill: "This recording has no steps.",
    facts: { step: "Step", tokens: "Tokens", speed: "Tokens/s", left: "Time left" },
    progress: "Steps done",
    none: "–",
    seconds: "{s} s",
    minutes: "{m} min {s} s",
    hours: "{h} h {m} min",
    curves: {
      loss: "Loss",
      fvu: "Variance unexplained",
      l0: "Active features per token",
      dead: "Dead features",
      density: "How often features fire",
      rate: "Learning rate",
      sparsity: "Sparsity coefficient",
    },
    notes: {
      log: "log scale",
      explained: "log scale; {share} explained",
      l0: "mean over the batch (L0)",
      dead: "share of all features",
      deadWindow: "off for the last {n} tokens",
      density: "share of tokens, log scale",
      rate: "of each step",
      sparsity: "λ, or k of a TopK",
    },
    curve: "{name}: {value} at step {step}",
    severalCurves: "{name}, {n} runs; {run}: {value} at step {step}",
    noSteps: "{name}: no steps yet",
    atStep: "step {step}",
    density:
      "How often features fire: {n} features fired, most of them at between {a} and {b} of tokens; {silent} never did.",
    densityNone: "How often features fire: not known yet",
    silent: "{n} silent",
    bin: "{n} features: {a} – {b}",
    frontier: {
      title: "What each active feature buys",
      note:
        "One point per run, mean of its last steps. Filled points are on the front: no other run is better in both. " +
        "Lower and further left is better.",
      label: "Unexplained variance against active features. {points}",
      point: "{name}: {l0} active, {fvu} unexplained{front}.",
      front: ", on the front",
      tip: "{name}: L0 {l0}, FVU {fvu}",
      l0: "active features per token",
      fvu: "variance unexplained",
    },
    scaling: {
      title: "What compute buys",
      note:
        "Unexplained variance against the operations spent, 12 × width × features × tokens, on logarithmic axes. " +
        "A dot marks the best run at that compute, after the first tenth of a run; the dashed line is the power law " +
        "nearest to the dots.",
      compute: "floating-point operations",
      law:
        "At the best run, unexplained variance goes as compute to the {loss}, the number of features as compute to " +
        "the {features}, the tokens as compute to the {tokens}.",
      none: "No compute has been spent by two runs yet.",
      rates: "Unexplained variance at the end, by learning rate",
      size: "Features",
      not:
        "What this does not show: a law beyond these sizes. A step in the middle of a schedule that decays later is " +
        "worse than the end of a shorter run, so compare runs of a constant learning rate; and only at one sparsity.",
    },
    runs: {
      columns: ["Runs", "L0", "FVU", "Dead"],
      show: "Run in front: {name}",
      inFront: "In front: {name}. The other runs are drawn faint.",
      toCome: "{n} runs: {names}",
      front: "front",
      failed: "stopped: {why}",
      failedMark: "×",
    },
  },
};

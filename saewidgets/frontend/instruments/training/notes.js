// What the notes say that "What am I looking at?" lays over the instrument, and on which part.

export const notes = {
  en: [
    {
      at: ".saew-run",
      say: "Start, pause and go on. Stop and keep leaves the SAE as it is after the current step.",
    },
    {
      at: ".saew-facts",
      say: "The latest step.",
    },
    {
      at: ".saew-several",
      say:
        "One point per SAE: lower is a better reconstruction, further left is sparser. The best ones form the " +
        "frontier.",
    },
    {
      at: ".saew-curves",
      say:
        "Each curve over the steps. FVU is the fraction of variance unexplained; L0 the number of active features " +
        "per token; dead features were off for a long time.",
    },
  ],
};

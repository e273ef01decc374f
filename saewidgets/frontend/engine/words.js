// What the engine says where it cannot do what was asked: the sentences of the Python side.

export const words = {
  beyond:
    "scope {scope} covers nothing: the model reads {n} tokens here, numbers 0 to {last}, {prompt} of them the " +
    "prompt's: choose an earlier position, or more tokens",
  before: "scope {scope} covers nothing of a prompt of {n} tokens",
  noDialogue:
    "scope 'assistant' is of a dialogue, and this prompt is a text: take the scope 'generated', or a page that was " +
    "made with a dialogue",
  tooLong: "{n} tokens do not fit: the context of {name} is {room} tokens; take {more} off",
  empty: "{name} has no beginning-of-text token, so it needs a prompt to continue",
  notFinite: "the logits are not finite after {n} tokens: the activations overflow, use a weaker clamp",
};

// Why nothing comes yet: the kernel owes an answer, or the first text takes its time.

import { h } from "../../shared/elements.js";

const PATIENCE = 1500; // ms without a token before the first text is explained

/**
 * @param {{ busy: string, preparing: string }} words `busy` with what is known of the reason
 */
export function waitingNote(words) {
  const el = h("p", { class: "saew-note saew-waiting", role: "status", hidden: true });
  let [busy, slow, begun, timer] = [false, false, false, 0]; // begun: a token has been seen
  const draw = () => {
    const sentence = busy ? words.busy : slow ? words.preparing : "";
    el.hidden = !sentence;
    el.textContent = sentence;
  };
  const stop = () => {
    clearTimeout(timer);
    timer = 0;
    slow = false;
  };
  /** @param {{ owes: boolean, writing: boolean, tokens: number }} now `owes`: the kernel has not answered */
  const update = ({ owes, writing, tokens }) => {
    busy = owes;
    begun ||= tokens > 0;
    if (!writing || begun)
      stop(); // only the first text has to be prepared for
    else
      timer ||= Number(
        setTimeout(() => {
          slow = true;
          draw();
        }, PATIENCE),
      );
    draw();
  };
  return { el, update, stop };
}

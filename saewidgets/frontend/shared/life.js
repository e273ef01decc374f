// Whether a kernel that knows an instrument stands behind it. Where none does, the picture dims and says so.
//
// Who can tell: ipywidgets marks the view of a model without a live comm (a notebook that was reopened, a kernel that
// restarts), the kernel of JupyterLab says what becomes of it, and anywhere else a message that cannot be sent does. An
// answer revives the picture.

/** @import { Instrument, Model, OwnModel } from "../types/host.js" */

import { h } from "./elements.js";
import { words as common, inLanguage } from "./words.js";

/** @typedef {"" | "saved" | "restarted" | "ended" | "lost"} Why why it is not alive: a key of the words */

const UNLINKED = ".jupyter-widgets-disconnected"; // what ipywidgets makes of a view whose model has no live comm
/** @type {Record<string, Why>} */
const FATES = { restarting: "restarted", autorestarting: "restarted", terminating: "ended", dead: "ended" };

/** @type {WeakMap<Model<any>, { alive: () => boolean, lost: () => void }>} */
const lives = new WeakMap();

/** @param {Model<any>} model */
export const alive = (model) => lives.get(model)?.alive() ?? true;

/**
 * Do something that reaches for the kernel; where that cannot be done, the instrument is dead, and says so.
 *
 * @param {Model<any>} model
 * @param {() => void} reach
 */
export function attempt(model, reach) {
  try {
    reach();
  } catch {
    lives.get(model)?.lost();
  }
}

/**
 * An instrument that says when it is not alive.
 *
 * @param {Instrument} instrument
 * @returns {Instrument}
 */
export function watched(instrument) {
  return {
    render({ model, el }) {
      // An instrument may send something while it is drawn.
      let failed = false;
      lives.set(model, {
        alive: () => !failed,
        lost() {
          failed = true;
        },
      });
      void hear(model);
      const end = instrument.render({ model, el });
      const stop = watch(model, el, failed);
      return () => {
        stop();
        lives.delete(model);
        end();
      };
    },
  };
}

/**
 * Have a model hear its kernel that was slow to begin.
 *
 * anywidget gives a module two seconds to load, and passes on nothing of the kernel, for ever, where it took longer: a
 * slow or busy machine with many instruments in one notebook. So where anywidget refuses a message that says nothing,
 * the kernel's go to ipywidgets without it, and what may have been missed is asked for.
 *
 * @param {Model<any>} model
 */
async function hear(model) {
  /** @type {OwnModel | undefined} */
  const own = await model.widget_manager?.get_model?.(model.get("_id"));
  try {
    await own?._handle_comm_msg({ content: { data: {} } });
  } catch {
    const beyond = Object.getPrototypeOf(Object.getPrototypeOf(own));
    own?.comm?.on_msg((message) => beyond._handle_comm_msg.call(own, message));
    own?.comm?.send({ method: "request_state" }, {});
  }
}

/** @param {Model<any>} model @param {HTMLElement} el @param {boolean} failed a message could not be sent already */
function watch(model, el, failed) {
  const words = inLanguage(common, model).life;
  const picture = /** @type {HTMLElement} */ (el.querySelector(":scope > .saew"));
  const note = h("p", { class: "saew-life", role: "status", hidden: true });
  const kernel = model.widget_manager?.kernel;
  /** @type {Why} */
  let why = "";

  /** @param {Why} now */
  const become = (now) => {
    why = now;
    note.textContent = now && words[now];
    note.hidden = !now;
    picture.inert = Boolean(now);
    el.classList.toggle("saew-lifeless", Boolean(now));
  };
  /** @param {Why} now what is said first stays, unless it was a guess */
  const die = (now) => {
    if (!why || why === "lost") become(now);
  };
  const unlinked = () => {
    if (el.closest(UNLINKED)) die("restarted");
  };
  /** @param {unknown} _ @param {string} now */
  const status = (_, now) => {
    if (FATES[now]) die(FATES[now]);
  };
  const disposed = () => die("ended");
  const heard = () => become("");

  el.prepend(note);
  lives.set(model, { alive: () => !why, lost: () => die("lost") });
  model.on("comm_live_update", unlinked);
  model.on("change:_heard", heard);
  kernel?.statusChanged?.connect(status);
  kernel?.disposed?.connect(disposed);
  if (el.closest(UNLINKED)) become("saved");
  else if (kernel?.isDisposed) become("ended");
  else if (failed) become("lost");
  return () => {
    model.off("comm_live_update", unlinked);
    model.off("change:_heard", heard);
    kernel?.statusChanged?.disconnect(status);
    kernel?.disposed?.disconnect(disposed);
  };
}

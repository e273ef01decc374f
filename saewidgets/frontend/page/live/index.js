// A view of a page with the engine behind it.

import { clampKernel } from "./clamp.js";
import { hostOf } from "./host.js";
import { liveModel } from "./model.js";
import { probeKernel } from "./probe.js";

/** @import { Carried } from "../../engine/machine.js" */
/** @import { Program } from "./host.js" */
/** @import { Traits } from "./model.js" */

const KERNELS = { clamp: clampKernel, probe: probeKernel };

/**
 * The model of a live view: what the instrument sees, answered by the engine.
 *
 * @param {"clamp" | "probe"} instrument
 * @param {Traits} state
 * @param {any} live what the view carries for its kernel
 * @param {Program} program
 * @param {() => Carried} carried
 */
export function answered(instrument, state, live, program, carried) {
  const { model, put, behind } = liveModel({ ...state, _static: false });
  const ask = hostOf(program, (tell) => kernel.told(tell));
  const kernel = KERNELS[instrument](model, put, live, ask);
  behind(kernel);
  ask({ kind: "open", carried: carried() });
  return model;
}

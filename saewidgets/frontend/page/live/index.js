// A view of a page with the engine behind it.

import { clampKernel } from "./clamp.js";
import { doseKernel } from "./dose.js";
import { hostOf } from "./host.js";
import { liveModel } from "./model.js";
import { probeKernel } from "./probe.js";

/** @import { Carried } from "../../engine/machine.js" */
/** @import { Program } from "./host.js" */
/** @import { Traits } from "./model.js" */

const KERNELS = { clamp: clampKernel, dose_response: doseKernel, probe: probeKernel };

/**
 * The model of a live view: what the instrument sees, answered by the engine.
 *
 * @param {"clamp" | "dose_response" | "probe"} instrument
 * @param {Traits} state
 * @param {any} live what the view carries for its kernel
 * @param {string[]} own traits that are set as they were at the beginning when that is asked for
 * @param {Program} program
 * @param {() => Carried} carried
 */
export function answered(instrument, state, live, own, program, carried) {
  const { model, put, behind } = liveModel({ ...state, _static: false }, own);
  const ask = hostOf(program, (tell) => kernel.told(tell));
  const kernel = KERNELS[instrument](model, put, live, ask);
  behind(kernel);
  ask({ kind: "open", carried: carried() });
  return model;
}

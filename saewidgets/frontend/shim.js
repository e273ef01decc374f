// A page without a kernel: a stand-in for the model that a notebook gives to `render`.

/**
 * `state` holds the traits. `lookup` {from, to, table} answers for the kernel: when trait `from` changes, trait `to` becomes
 * table[from]. Nothing here stores anything: a page opened through Jupyter may not touch localStorage or cookies.
 */
export function staticModel(state, lookup) {
  const listeners = new Map();
  const model = {
    get: (name) => state[name],
    set(name, value) {
      if (Object.is(state[name], value)) return;
      if (lookup && name === lookup.from && !Object.hasOwn(lookup.table, String(value))) return;
      state[name] = value;
      if (lookup && name === lookup.from) model.set(lookup.to, lookup.table[String(value)]);
      for (const fn of [...(listeners.get(`change:${name}`) ?? [])]) fn();
    },
    save_changes() {},
    send() {},
    on(event, fn) {
      if (!listeners.has(event)) listeners.set(event, new Set());
      listeners.get(event).add(fn);
    },
    off(event, fn) {
      listeners.get(event)?.delete(fn);
    },
  };
  return model;
}

/** What stands for bytes in a page's data, {base64}, as the DataView that a notebook would give; also inside a trait. */
function revive(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  if (typeof value.base64 !== "string") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
  return new DataView(Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)).buffer);
}

/** Draw the instruments of a page; those that have a trait `feature` follow one another, and the page's #feature=31. */
export function mount(instruments, views) {
  const models = views.map(({ instrument, state, lookup }, i) => {
    const model = staticModel({ _static: true, ...revive(state) }, lookup);
    instruments[instrument].render({ model, el: document.querySelectorAll(".saew-mount")[i] });
    return model;
  });
  const withFeature = models.filter((model) => model.get("feature") !== undefined);
  for (const model of withFeature) {
    model.on("change:feature", () => {
      for (const other of withFeature) other.set("feature", model.get("feature"));
    });
  }
  const jump = () => {
    const asked = /^#feature=(\d+)$/.exec(location.hash);
    if (asked) for (const model of withFeature) model.set("feature", Number(asked[1]));
  };
  window.addEventListener("hashchange", jump);
  jump();
}

// What the host gives an instrument, and what instruments are made of. Written by hand; the traits are in model.d.ts.

/** Tokens and charts carry the rows of their tooltips: [name, value], or [name, value, share of a bar]. */
export type TipLine = [name: string, value: string, share?: number];

declare global {
  interface Element {
    saewTip?: TipLine[];
    /** The character that a token shares with its neighbors. */
    saewShare?: import("../shared/bytes.js").Piece["share"];
    saewTokens?: string[];
    saewPlace?: [context: number, position: number];
    saewItem?: any;
    saewView?: any;
  }
}

/** The widget's traits as the page sees them (anywidget's model, or page/shim.js where there is no kernel). */
export interface Model<T = Record<string, any>> {
  get<K extends keyof T & string>(name: K): T[K];
  set<K extends keyof T & string>(name: K, value: T[K]): void;
  save_changes(): void;
  send(content: unknown): void;
  on(event: string, fn: () => void): void;
  off(event: string, fn: () => void): void;
  /** anywidget's way to ipywidgets' manager, which in JupyterLab knows its kernel; absent on a page without one. */
  widget_manager?: { kernel?: Kernel | null; get_model?(id: string): Promise<OwnModel> };
}

/** What is used of ipywidgets' own model, which anywidget's stands before. */
export interface OwnModel {
  comm?: { on_msg(fn: (message: unknown) => void): void; send(content: unknown, callbacks: object): void };
  _handle_comm_msg(message: unknown): Promise<void>;
}

/** What is used of JupyterLab's connection to a kernel. */
export interface Kernel {
  isDisposed?: boolean;
  statusChanged?: Signal<string>;
  disposed?: Signal<void>;
}

/** A signal of Lumino. */
export interface Signal<A> {
  connect(slot: (sender: unknown, value: A) => void): void;
  disconnect(slot: (sender: unknown, value: A) => void): void;
}

/** A part of an instrument: its element, what draws it anew, and what ends it. */
export interface Part<A extends unknown[] = any[]> {
  el: Element;
  update?: (...values: A) => void;
  stop?: () => void;
}

/** What a person sets goes to the kernel through this; see shared/link.js. */
export interface Link<T = Record<string, any>> {
  put(settings: Partial<T>): void;
  ask(kind: string, settings?: Partial<T>): void;
  waiting(): boolean;
  stop(): void;
}

/** A word of shared/glossary.js as an element that says what it means; `shown` is the form in which it stands. */
export type Term = (word: string, shown?: string) => HTMLElement;

/** What "What am I looking at?" says of one part. */
export interface Note {
  /** A selector of the part inside the instrument; a note whose part is not shown is left out. */
  at: string;
  say: string;
}

/** What shared/mount.js hands to an instrument. T are its traits, W its table of words. */
export interface Context<T = Record<string, any>, W = Record<string, any>> {
  model: Model<T>;
  root: HTMLElement;
  link: Link<T>;
  words: W;
  /** The words of the shared parts, in the same language. */
  common: typeof import("../shared/words.js").words.en;
  /** The error line: place it where it is to stand. */
  banner: HTMLElement;
  term: Term;
  /** A text in pieces for `h(...)`, in which the first occurrence of each word of the glossary explains itself. */
  explain(text: string): (HTMLElement | string)[];
  /** No kernel stands behind this page. */
  still: boolean;
  /** Take a part in: its element, and its end with the instrument's. */
  add<P extends Part>(part: P): P["el"];
  /** Call `fn` when one of these traits changes. */
  on(names: (keyof T & string)[], fn: () => void): void;
  /** Call `fn` when the instrument ends. */
  ends(fn: () => void): void;
}

/** What an instrument's `draw` may return: a handler of keys, which says whether it used the key. */
export type Keys = ((event: KeyboardEvent) => boolean) | undefined | void;

/** The module that a notebook loads. */
export interface Instrument {
  render(host: { model: Model<any>; el: HTMLElement }): () => void;
}

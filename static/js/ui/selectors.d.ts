/** The type of the element that a selector finds, read from the selector's last tag name. Types only. */

type LastOf<S extends string> = S extends `${string} ${infer Rest}` ? LastOf<Rest> : S;
type UpTo<S extends string, Mark extends string> = S extends `${infer Name}${Mark}${string}` ? Name : S;
type TagOf<S extends string> = UpTo<UpTo<UpTo<UpTo<LastOf<S>, "[">, ".">, "#">, ":">;

export type Found<S extends string> =
  TagOf<S> extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[TagOf<S>]
    : S extends `${string}[type=submit]` ? HTMLButtonElement
    : HTMLElement;

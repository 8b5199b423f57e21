/** A fact a later run cannot see on the node, left there when the step is done. */
export interface Marker {
  readonly key: string;
  readonly value: string;
}

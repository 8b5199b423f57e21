export const hookNames = ['pre-run', 'post-run', 'pre-service', 'post-service', 'on-failure'] as const;

/** When an operator's executable is run. */
export type HookName = (typeof hookNames)[number];

export interface Hook {
  /** Below `hooks/`: `pre-run` or `pre-run.d/10-ticket`. */
  readonly name: string;
  /** Where it lies on the control host. */
  readonly path: string;
}

/** In the order in which they are run; a name without hooks is missing. */
export type Hooks = ReadonlyMap<HookName, readonly Hook[]>;

/** Stands for the control host where a step has to name a host. */
export const controlHost = 'localhost';

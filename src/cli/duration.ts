const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** `90`, `90s`, `10m` or `2h` in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, number, unit = 's'] = /^(\d{1,6})([smh]?)$/.exec(text.trim()) ?? [];
  return number === undefined ? undefined : Number(number) * (unitsMs[unit || 's'] ?? 1_000);
}

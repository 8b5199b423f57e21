interface Row {
  readonly container: string;
  readonly host: string;
  readonly state: string;
  readonly health: string;
  readonly image: string;
  readonly status: string;
  readonly good: boolean;
}

/** A table of containers for people, with a last line that says whether all is well. */
export function statusText(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.good ? 'ok' : 'NOT OK',
    row.container,
    row.host,
    row.state,
    row.health,
    row.image.slice(row.image.lastIndexOf('/') + 1),
    row.status,
  ]);
  const header = ['', 'container', 'host', 'state', 'health', 'image', 'since'];
  const table = [header, ...cells];
  const widths = header.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  const lines = table.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const bad = rows.filter((row) => !row.good).length;
  return [
    ...lines,
    bad === 0 ? `all ${rows.length} containers are healthy` : `${bad} of ${rows.length} containers are not healthy`,
  ].join('\n');
}

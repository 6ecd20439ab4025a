/** The table of `make league`: a row for each phase of a line and measure, a column for each server. Pure. */
import { formatOffered, type PhaseResult } from './lines';

/** What one server was measured to do on one line. */
export interface LeagueResult {
  server: string;
  line: string;
  /** Empty when the measurement failed. */
  phases: PhaseResult[];
  /** Why there are no phases. */
  failure?: string;
}

const MEASURES: [string, (result: PhaseResult) => string][] = [
  ['most offered after 1 s', formatOffered],
  ['video', ({ videoKbps }) => `${videoKbps.toFixed(0)} kbit/s`],
  ['audio concealed', ({ concealedPercent }) => `${concealedPercent.toFixed(2)} %`],
  ['frozen', ({ frozenPercent }) => `${frozenPercent.toFixed(1)} %`],
  ['longest pause', ({ longestPauseMs }) => `${longestPauseMs} ms`],
  ['frames', ({ framesPerSecond }) => `${framesPerSecond.toFixed(1)} fps`],
  ['height at the end', ({ finalHeight }) => `${finalHeight}p`],
];

/** Formats results as a Markdown table with aligned columns. */
export function formatTable(results: LeagueResult[]): string {
  const servers = [...new Set(results.map(({ server }) => server))];
  const lines = [...new Set(results.map(({ line }) => line))];
  const rows = lines.flatMap((line) => formatLine(line, servers.map((server) => find(results, server, line))));
  return align([['line', 'phase', 'measure', ...servers], ...rows]);
}

function find(results: LeagueResult[], server: string, line: string): LeagueResult | undefined {
  return results.find((result) => result.server === server && result.line === line);
}

function formatLine(line: string, results: (LeagueResult | undefined)[]): string[][] {
  const phases = results.find((result) => result && result.phases.length > 0)?.phases ?? [];
  if (phases.length === 0) return [[line, '–', '–', ...results.map(() => 'failed')]];
  return phases.flatMap(({ phase }, index) =>
    MEASURES.map(([measure, format], row) => {
      const cells = results.map((result) => {
        const measured = result?.phases[index];
        return measured ? format(measured) : 'failed';
      });
      return [row === 0 && index === 0 ? line : '', row === 0 ? phase : '', measure, ...cells];
    }),
  );
}

/** Joins cells to lines; the columns of figures are aligned to the right. */
function align(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const isFigure = (column: number) => column > 2;
  const write = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const [head = [], ...body] = rows.map((row) =>
    row.map((cell, column) => (isFigure(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))),
  );
  const rule = widths.map((width, column) => (isFigure(column) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [head, rule, ...body].map(write).join('\n');
}

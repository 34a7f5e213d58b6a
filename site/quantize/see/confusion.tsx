/** Which classes are taken for which. */
import {useMemo} from 'preact/hooks';
import {counted, percent} from '../components/format';

interface ConfusionProps {
  /** Rows are true classes, or the float model's; columns the quantized model's. */
  readonly counts: readonly (readonly number[])[];
  readonly labels: readonly string[];
  readonly ofTruth: boolean;
}

/** More classes make a table that nobody reads: of those only what is confused is told. */
const MOST_CLASSES = 20;
const MOST_PAIRS = 20;

export function Confusion({counts, labels, ofTruth}: ConfusionProps) {
  const name = (i: number) => labels[i] ?? `class ${i}`;
  const rows = ofTruth ? 'True class' : 'Float model';
  return (
    <section aria-labelledby="confusion">
      <h3 id="confusion">Which classes it takes for which</h3>
      {counts.length <= MOST_CLASSES ? (
        <Matrix counts={counts} name={name} rows={rows} />
      ) : (
        <Pairs counts={counts} name={name} rows={rows} />
      )}
    </section>
  );
}

/** How strongly a share is shaded: few that are confused are seen as well. */
function strength(share: number): string {
  return String(share > 0 ? Math.sqrt(share) : 0);
}

interface TableProps {
  readonly counts: readonly (readonly number[])[];
  readonly name: (i: number) => string;
  readonly rows: string;
}

function Matrix({counts, name, rows}: TableProps) {
  return (
    <div class="overflow-auto" tabIndex={0} role="region" aria-label="Counts of classes">
      <table class="confusion">
        <thead>
          <tr>
            <th scope="col">{rows} ↓, quantized →</th>
            {counts.map((_, i) => (
              <th key={i} scope="col">
                {name(i)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {counts.map((row, i) => {
            const all = row.reduce((sum, count) => sum + count, 0);
            return (
              <tr key={i}>
                <th scope="row">{name(i)}</th>
                {row.map((count, j) => (
                  <td key={j} class={i === j ? 'same' : 'other'} style={{'--strength': strength(count / all)}}>
                    {count > 0 ? count : <span class="nothing">0</span>}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface Pair {
  readonly i: number;
  readonly j: number;
  readonly count: number;
  /** Of the row. */
  readonly all: number;
}

/** Pairs of classes that are confused, the most often first. A thousand classes have a million pairs, few of which are. */
function confusedIn(counts: readonly (readonly number[])[]): Pair[] {
  const pairs: Pair[] = [];
  counts.forEach((row, i) => {
    const all = row.reduce((sum, count) => sum + count, 0);
    if (all === row[i]) return;
    row.forEach((count, j) => {
      if (i !== j && count > 0) pairs.push({i, j, count, all});
    });
  });
  return pairs.sort((a, b) => b.count - a.count || b.count / b.all - a.count / a.all);
}

function Pairs({counts, name, rows}: TableProps) {
  const pairs = useMemo(() => confusedIn(counts), [counts]);
  if (pairs.length === 0)
    return <p>None for another: it decides alike for every sample of all {counts.length} classes.</p>;
  const left = pairs.length - MOST_PAIRS;
  return (
    <>
      <p>
        Of {counts.length} classes, the {counted(Math.min(pairs.length, MOST_PAIRS), 'pair')} that it confuses most
        {left > 0 && `; ${left} more are confused less often`}.
      </p>
      <div class="overflow-auto" tabIndex={0} role="region" aria-label="Counts of classes">
        <table>
          <thead>
            <tr>
              <th scope="col">{rows}</th>
              <th scope="col">Quantized says</th>
              <th scope="col">Samples</th>
              <th scope="col">Of that class</th>
            </tr>
          </thead>
          <tbody>
            {pairs.slice(0, MOST_PAIRS).map(({i, j, count, all}) => (
              <tr key={`${i} ${j}`}>
                <th scope="row">{name(i)}</th>
                <td>{name(j)}</td>
                <td>{count}</td>
                <td>{percent(count / all)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

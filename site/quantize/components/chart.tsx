/** A plot of Observable Plot, which comes once the first is asked for. */
import type {PlotOptions} from '@observablehq/plot';
import {useEffect, useRef} from 'preact/hooks';

type Plot = typeof import('@observablehq/plot');

interface ChartProps {
  /** What it shows, for those who do not see it. */
  readonly label: string;
  /** Makes it, as wide as there is room. */
  readonly make: (plot: Plot, width: number) => PlotOptions;
}

export function Chart({label, make}: ChartProps) {
  const figure = useRef<HTMLElement>(null);
  useEffect(() => drawInto(figure.current!, make), [make]);
  return <figure ref={figure} class="chart" role="img" aria-label={label} />;
}

/** Draws, and does so again whenever there is other room. Returns how to end that. */
function drawInto(figure: HTMLElement, make: ChartProps['make']): () => void {
  let width = 0;
  let isOver = false;
  const draw = async () => {
    const plot = await import('@observablehq/plot');
    if (isOver) return;
    const drawn = plot.plot(make(plot, width));
    // The label says it all, and Plot names its parts where nothing may be named.
    drawn.setAttribute('aria-hidden', 'true');
    figure.replaceChildren(drawn);
  };
  const observer = new ResizeObserver(() => {
    if (figure.clientWidth === width || figure.clientWidth === 0) return;
    width = figure.clientWidth;
    void draw();
  });
  observer.observe(figure);
  return () => {
    isOver = true;
    observer.disconnect();
  };
}

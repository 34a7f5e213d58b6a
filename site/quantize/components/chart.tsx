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
  useEffect(() => {
    let isOver = false;
    const draw = async () => {
      const plot = await import('@observablehq/plot');
      if (isOver || !figure.current) return;
      figure.current.replaceChildren(plot.plot(make(plot, figure.current.clientWidth)));
    };
    void draw();
    return () => {
      isOver = true;
    };
  }, [make]);
  return <figure ref={figure} class="chart" role="img" aria-label={label} />;
}

/** How large each kind of file is, against the model's weights in float32. */
import {bytes} from '../components/format';
import {COLORS, type Make, names, STYLE, ticksIn} from './common';

export interface Size {
  readonly title: string;
  readonly bytes: number;
  readonly hasFloatWeights: boolean;
}

const ROW = 30;

export function sizeBars(sizes: readonly Size[], float: number): Make {
  return (plot, width) => {
    const marginLeft = Math.min(230, 0.45 * width);
    const marginRight = 72;
    return {
      width,
      height: sizes.length * ROW + 34,
      marginLeft,
      marginRight,
      marginTop: 4,
      marginBottom: 30,
      style: STYLE,
      x: {label: null, grid: true, zero: true, ticks: ticksIn(width - marginLeft - marginRight), tickFormat: bytes},
      y: {label: null, domain: sizes.map(({title}) => title)},
      marks: [
        names(plot, marginLeft),
        plot.barX(sizes, {
          x: 'bytes',
          y: 'title',
          fill: ({hasFloatWeights}: Size) => (hasFloatWeights ? COLORS.float : COLORS.quantized),
          rx: 2,
        }),
        plot.ruleX([float], {stroke: COLORS.other, strokeDasharray: '4,3'}),
        plot.ruleX([0], {strokeOpacity: 0.4}),
        plot.text(sizes, {x: 'bytes', y: 'title', text: ({bytes: n}: Size) => bytes(n), textAnchor: 'start', dx: 6}),
      ],
    };
  };
}

/** What each network reads: a card for each width. */
import type {ComponentChildren} from 'preact';
import {pixels} from '../drawing/state';
import type {NetworkName, Reading} from '../worker/contract';
import {chosenWidth, FLOAT, isSettled, keyOf, networks, readings, widths} from './state';

const DIGITS = [...Array(10).keys()];

const readingOf = (network: NetworkName) => readings.value[keyOf(network)];

function answerOf({shares}: Reading): number {
  return shares.indexOf(Math.max(...shares));
}

const percent = (share: number) => `${Math.round(100 * share)} %`;

function accuracyOf(network: NetworkName): string {
  const reading = readingOf(network);
  return reading ? `${reading.accuracy.toFixed(1)} %` : '…';
}

/** What one network says, in words. */
function Answer({network}: {readonly network: NetworkName}) {
  const reading = readingOf(network);
  const answer = reading && answerOf(reading);
  return (
    <p class={`answer ${network.method}`}>
      <span>{network.method}</span>
      <strong>{answer ?? '…'}</strong>
      <small>{reading && percent(reading.shares[answer!]!)}</small>
    </p>
  );
}

function Bars({networks: shown}: {readonly networks: readonly NetworkName[]}) {
  return (
    <div class="bars" aria-hidden="true">
      {DIGITS.map(digit => (
        <div key={digit}>
          <div>
            {shown.map(network => (
              <i
                key={network.method}
                class={network.method}
                style={{'--share': (readingOf(network)?.shares[digit] ?? 0).toFixed(3)}}
              />
            ))}
          </div>
          {digit}
        </div>
      ))}
    </div>
  );
}

interface CardProps {
  readonly title: ComponentChildren;
  readonly networks: readonly NetworkName[];
  readonly children?: ComponentChildren;
}

function Card({title, networks: shown, children}: CardProps) {
  return (
    <article>
      <h3>{title}</h3>
      {children}
      {shown.map(network => (
        <Answer key={network.method} network={network} />
      ))}
      <Bars networks={shown} />
      <small>Right on test images: {shown.map(accuracyOf).join(', ')}</small>
    </article>
  );
}

/** What float reads, and who reads something else. */
function verdict(): string {
  if (pixels.value.every(ink => ink === 0)) return 'Nothing is drawn yet.';
  const float = readingOf(FLOAT);
  if (!isSettled.value || !float) return 'Reading …';
  const answer = answerOf(float);
  const others = networks().flatMap(({method, bits}) => {
    const other = answerOf(readingOf({method, bits})!);
    return other === answer ? [] : [`a ${other} by ${bits} bits ${method}`];
  });
  return others.length === 0
    ? `All networks read a ${answer}.`
    : `Float reads a ${answer}, and so do all others but these: ${others.join(', ')}.`;
}

export function Networks() {
  const chosen = chosenWidth.value;
  return (
    <div class="networks">
      <p class="key">
        <span class="PTQ">PTQ: the float network, quantized after training.</span>{' '}
        <span class="QAT">QAT: trained on with its bits.</span>
      </p>
      <p role="status" class="verdict">
        {verdict()}
      </p>
      <div class="cards">
        <Card title="Float" networks={[FLOAT]} />
        {widths.value.map(bits => (
          <Card
            key={bits}
            title={`${bits} bits`}
            networks={[
              {method: 'PTQ', bits},
              {method: 'QAT', bits},
            ]}
          />
        ))}
        <Card title={`Slide: ${chosen} bits`} networks={[{method: 'PTQ', bits: chosen}]}>
          <input
            type="range"
            min="2"
            max="8"
            value={chosen}
            aria-label="Bits of weights and activations"
            onInput={({currentTarget}) => (chosenWidth.value = currentTarget.valueAsNumber)}
          />
        </Card>
      </div>
    </div>
  );
}

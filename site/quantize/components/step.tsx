/** A step: its heading, what is going on in it, and what went wrong. */
import {useSignal} from '@preact/signals';
import type {ComponentChildren} from 'preact';
import {useEffect, useRef} from 'preact/hooks';
import {destination, isBusy, type Step as Name, STEPS} from '../state';
import type {GivenFile} from '../worker/contract';
import {droppedFiles} from './given_files';
import {Doings} from './doings';

interface StepProps {
  readonly step: Name;
  readonly title: string;
  /** What a visitor does here, in a line. */
  readonly lead?: ComponentChildren;
  /** Takes what is dropped anywhere on the step. */
  readonly onFiles?: (files: readonly GivenFile[]) => void;
  readonly children?: ComponentChildren;
}

export function Step({step, title, lead, onFiles, children}: StepProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const dropping = useDrop(onFiles);
  const isNext = destination.value === step;
  useEffect(() => {
    if (!isNext || !heading.current) return;
    destination.value = undefined;
    leadTo(heading.current);
  }, [isNext]);
  return (
    <section class="step" aria-labelledby={step} {...dropping}>
      <header>
        <span class="number" aria-hidden="true">
          {STEPS.indexOf(step) + 1}
        </span>
        <h2 id={step} tabIndex={-1} ref={heading}>
          {title}
        </h2>
        {lead !== undefined && <p>{lead}</p>}
      </header>
      {children}
      <Doings of={step} />
    </section>
  );
}

function leadTo(heading: HTMLElement): void {
  heading.focus({preventScroll: true});
  const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth';
  heading.closest('section')!.scrollIntoView({behavior, block: 'start'});
}

/** Handlers of an area that takes files, which says by an attribute that it would. */
function useDrop(onFiles: ((files: readonly GivenFile[]) => void) | undefined) {
  const isOver = useSignal(false);
  if (!onFiles) return {};
  const hover = (event: DragEvent) => {
    event.preventDefault();
    isOver.value = !isBusy.value && event.dataTransfer?.types.includes('Files') === true;
  };
  const leave = ({currentTarget, relatedTarget}: DragEvent) => {
    if (!(currentTarget as Node).contains(relatedTarget as Node | null)) isOver.value = false;
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    isOver.value = false;
    if (event.dataTransfer && !isBusy.value) void droppedFiles(event.dataTransfer).then(onFiles);
  };
  return {'data-over': isOver.value, onDragEnter: hover, onDragOver: hover, onDragLeave: leave, onDrop: drop};
}

/** How far two predictions of the same samples agree. */

/** What is predicted of each sample. */
export type Scores = readonly Float32Array[];

/** Where the largest of numbers is: the class that scores stand for. */
export function best(scores: Float32Array): number {
  let at = 0;
  for (let i = 1; i < scores.length; ++i) if (scores[i]! > scores[at]!) at = i;
  return at;
}

/** How many samples are given the same class. */
export function sameClasses(found: Scores, expected: Scores): number {
  return found.filter((row, i) => best(row) === best(expected[i]!)).length;
}

/** The length of the difference by the length of what is expected, over all samples. */
export function relativeError(found: Scores, expected: Scores): number {
  let difference = 0;
  let length = 0;
  found.forEach((row, i) =>
    row.forEach((value, j) => {
      difference += (value - expected[i]![j]!) ** 2;
      length += expected[i]![j]! ** 2;
    }),
  );
  return Math.sqrt(difference / length);
}

/** The largest difference by the largest of what is expected. */
export function largestDifference(found: Scores, expected: Scores): number {
  let difference = 0;
  let largest = 0;
  found.forEach((row, i) =>
    row.forEach((value, j) => {
      difference = Math.max(difference, Math.abs(value - expected[i]![j]!));
      largest = Math.max(largest, Math.abs(expected[i]![j]!));
    }),
  );
  return difference / largest;
}

/**
 * The order of the documents. Each document is in here, and each that is in here is there, or the build fails. A document's title is
 * its heading, and its address that of its file, where nothing else is said.
 */
export const NAVIGATION = [
  {
    group: 'Start',
    documents: [
      'docs/getting-started.md',
      {file: 'README.md', title: 'What it is', address: 'about'},
      'docs/comparison.md',
      'docs/transfer-learning.md',
      'docs/teachable-machine.md',
    ],
  },
  {
    group: 'Quantize and train',
    documents: [
      'docs/choosing-bits.md',
      'docs/when-accuracy-drops.md',
      'docs/low-bits.md',
      'docs/training.md',
      'docs/ops.md',
    ],
  },
  {
    group: 'Models in',
    documents: ['docs/importing.md', 'docs/keras-and-tfmot.md', 'docs/layers.md'],
  },
  {
    group: 'Files out',
    documents: ['docs/files.md', 'docs/onnx.md', 'docs/microcontrollers.md'],
  },
  {
    group: 'Results',
    documents: [
      {file: 'accuracy/README.md', title: 'Accuracy', address: 'accuracy'},
      {file: 'bench/RESULTS.md', title: 'Speed', address: 'speed'},
      {file: 'docs/models.md', title: 'Published models'},
      'docs/exactness.md',
      'docs/performance.md',
    ],
  },
  {
    group: 'The project',
    documents: [
      'docs/architecture.md',
      'CONTRIBUTING.md',
      'CHANGELOG.md',
      {file: 'site/README.md', title: 'How this site is made', address: 'site'},
      {file: 'bench/README.md', title: 'How speed is measured', address: 'bench'},
      {file: 'lab/README.md', title: 'Data of the measurements', address: 'lab'},
    ],
  },
];

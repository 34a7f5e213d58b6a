import js from '@eslint/js';
import globals from 'globals';
import tsdoc from 'eslint-plugin-tsdoc';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {ignores: ['dist/', 'out/', '.cache/', 'kernels/cpu/simd/quantize.ts']},
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {parserOptions: {projectService: true}},
    plugins: {tsdoc},
    rules: {
      'tsdoc/syntax': 'error',
      // Indices are checked by the loops around them; the type checker cannot see that.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        {allowNumber: true, allowBoolean: true, allowArray: true},
      ],
      // tfjs's types promise more than its code keeps: lookups may miss, arguments come from JavaScript.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // tfjs's backends are classes of packages that are types only here.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', {ignoreArrowShorthand: true}],
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {globals: globals.node},
  },
);

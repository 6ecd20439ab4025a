import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Operator, halfToNumber, parseModel } from './modelFile';

const FILE = 'node_modules/@mediapipe/selfie_segmentation/selfie_segmentation_landscape.tflite';

test('the segmentation model is read', () => {
  const { tensors, operators, input, output } = parseModel(new Uint8Array(readFileSync(FILE)).buffer);
  expect(tensors[input]?.shape).toEqual([1, 144, 256, 3]);
  expect(tensors[output]?.shape).toEqual([1, 144, 256, 1]);
  const known = new Set<number>(Object.values(Operator));
  expect(operators.filter(({ code }) => !known.has(code))).toEqual([]);
  expect(operators.find(({ code }) => code === Operator.conv)).toMatchObject({ strides: [2, 2], padding: 'same' });
  expect(operators.filter(({ name }) => name)).toMatchObject([{ name: 'Convolution2DTransposeBias' }]);
  const weights = tensors[operators.find(({ code }) => code === Operator.dequantize)?.inputs[0] ?? 0];
  expect(weights?.data.byteLength).toBe(2 * (weights?.shape ?? []).reduce((product, size) => product * size, 1));
});

test('a model file that ends too early is refused', () => {
  expect(() => parseModel(new Uint8Array(readFileSync(FILE)).buffer.slice(0, 40_000))).toThrow(RangeError);
});

test('numbers of half precision are read', () => {
  const halves = [0x3c00, 0xc000, 0x3555, 0x0001, 0x8000, 0x7c00];
  expect(halves.map(halfToNumber)).toEqual([1, -2, 0.333251953125, 2 ** -24, -0, Infinity]);
  expect(halfToNumber(0x7e00)).toBeNaN();
});

/**
 * Tells people from what is behind them: runs MediaPipe's selfie segmentation, a small neural network for landscape
 * pictures, with TensorFlow's WebAssembly kernels. Runs in a worker.
 */
import modelUrl from '@mediapipe/selfie_segmentation/selfie_segmentation_landscape.tflite?url';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import kernelsUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url';
import {
  add,
  conv2dTranspose,
  dispose,
  env,
  fused,
  image,
  mean,
  mul,
  relu,
  relu6,
  setBackend,
  sigmoid,
  tensor,
  tensor4d,
  tidy,
  transpose,
  type Tensor,
  type Tensor4D,
} from '@tensorflow/tfjs-core';
import { NumberType, Operator, halfToNumber, parseModel, type Model, type ModelOperator, type ModelTensor } from './modelFile';

/** Size of the pictures that the network takes, and of the mask. */
export const MODEL_WIDTH = 256;
export const MODEL_HEIGHT = 144;

export class SegmentationModel {
  private constructor(
    private readonly model: Model,
    /** Constants of the network by the number of their tensor, in the layout that the kernels expect. */
    private readonly constants: Map<number, Tensor>,
  ) {}

  /** Loads the kernels and the network. */
  static async load(): Promise<SegmentationModel> {
    // Threads need memory that is shared between agents, which the page cannot have without COEP.
    env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
    // All browsers that the page supports have SIMD; the library asks for a path of each of its files.
    setWasmPaths({
      'tfjs-backend-wasm-simd.wasm': kernelsUrl,
      'tfjs-backend-wasm-threaded-simd.wasm': kernelsUrl,
      'tfjs-backend-wasm.wasm': kernelsUrl,
    });
    const [response, hasKernels] = await Promise.all([fetch(modelUrl), setBackend('wasm')]);
    if (!response.ok || !hasKernels) throw new Error('the segmentation model cannot be loaded');
    const model = parseModel(await response.arrayBuffer());
    return new SegmentationModel(model, constantsOf(model));
  }

  /** Returns for each pixel of a picture of the model's size how surely it shows a person, 0 to 1. */
  segment(picture: ImageData): Float32Array {
    const pixels = new Float32Array(MODEL_WIDTH * MODEL_HEIGHT * 3);
    for (let from = 0, to = 0; to < pixels.length; from += 4, to += 3) {
      pixels[to] = (picture.data[from] ?? 0) / 255;
      pixels[to + 1] = (picture.data[from + 1] ?? 0) / 255;
      pixels[to + 2] = (picture.data[from + 2] ?? 0) / 255;
    }
    const input = tensor4d(pixels, [1, MODEL_HEIGHT, MODEL_WIDTH, 3]);
    const mask = tidy(() => this.run(input));
    const confidences = mask.dataSync<'float32'>();
    dispose([input, mask]);
    return confidences;
  }

  private run(input: Tensor4D): Tensor {
    const values = new Map<number, Tensor>(this.constants);
    values.set(this.model.input, input);
    for (const operator of this.model.operators) {
      const { code, inputs, outputs } = operator;
      if (code === Operator.dequantize) continue;
      values.set(outputs[0] ?? 0, this.apply(operator, inputs.map((index) => values.get(index))));
    }
    const mask = values.get(this.model.output);
    if (!mask) throw new Error('the model has no output');
    return mask;
  }

  private apply(operator: ModelOperator, [first, second, third]: (Tensor | undefined)[]): Tensor {
    const x = first as Tensor4D;
    const weights = second as Tensor4D;
    switch (operator.code) {
      case Operator.conv:
        return fused.conv2d({ x, filter: weights, strides: operator.strides, pad: operator.padding, bias: third as Tensor });
      case Operator.depthwiseConv:
        return fused.depthwiseConv2d({ x, filter: weights, strides: operator.strides, pad: operator.padding, bias: third as Tensor });
      case Operator.custom:
        return add(doubleSize(x, weights), third as Tensor);
      case Operator.add:
        return add(x, weights);
      case Operator.multiply:
        return mul(x, weights);
      case Operator.relu:
        return relu(x);
      case Operator.sigmoid:
        return sigmoid(x);
      case Operator.hardSwish:
        return mul(x, mul(relu6(add(x, 3)), 1 / 6));
      case Operator.mean:
        return mean(x, [1, 2], true);
      case Operator.resizeBilinear:
        return image.resizeBilinear(x, this.sizeOf(operator), false, true);
      default:
        throw new Error(`operator ${operator.code} is not supported`);
    }
  }

  /** Returns height and width of what an operator results in. */
  private sizeOf({ outputs }: ModelOperator): [number, number] {
    const [, height = 1, width = 1] = this.model.tensors[outputs[0] ?? 0]?.shape ?? [];
    return [height, width];
  }
}

/** A transposed convolution with a stride of 2 (`Convolution2DTransposeBias`). */
function doubleSize(x: Tensor4D, weights: Tensor4D): Tensor4D {
  const [, height, width] = x.shape;
  return conv2dTranspose(x, weights, [1, height * 2, width * 2, weights.shape[2]], 2, 'same');
}

/** Returns the constants of the network by the numbers of the tensors that the operators name. */
function constantsOf({ tensors, operators }: Model): Map<number, Tensor> {
  const stored = new Map(tensors.map((stored, index) => [index, stored]));
  const constants = new Map<number, Tensor>();
  for (const { code, inputs, outputs } of operators) {
    const [first = 0, weights = 0, bias = 0] = inputs;
    // Numbers of half precision are made larger here instead of at each picture.
    if (code === Operator.dequantize) stored.set(outputs[0] ?? 0, stored.get(first) ?? NO_TENSOR);
    const order = WEIGHT_ORDERS.get(code);
    if (!order) continue;
    constants.set(weights, transpose(tensorOf(stored.get(weights)), order));
    constants.set(bias, tensorOf(stored.get(bias)));
  }
  return constants;
}

const NO_TENSOR: ModelTensor = { shape: [0], type: NumberType.float32, data: new DataView(new ArrayBuffer(0)) };

/** Order of the dimensions of weights for the kernels; files have outputs, height, width, inputs. */
const WEIGHT_ORDERS = new Map<number, number[]>([
  [Operator.conv, [1, 2, 3, 0]],
  [Operator.depthwiseConv, [1, 2, 3, 0]],
  [Operator.custom, [1, 2, 0, 3]],
]);

function tensorOf({ shape, type, data }: ModelTensor = NO_TENSOR): Tensor {
  const isHalf = type === NumberType.float16;
  const count = data.byteLength / (isHalf ? 2 : 4);
  const numbers = Float32Array.from({ length: count }, (_, index) =>
    isHalf ? halfToNumber(data.getUint16(2 * index, true)) : data.getFloat32(4 * index, true),
  );
  return tensor(numbers, shape);
}

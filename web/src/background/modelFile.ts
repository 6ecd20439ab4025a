/**
 * Reader of TensorFlow Lite model files, which are FlatBuffers: the tensors and operators of the only graph of a
 * model. Knows the fields that the operators of `segmentationModel.ts` need (`schema.fbs` of TensorFlow Lite). Pure.
 */

/** Codes of operators in the file (`BuiltinOperator`). */
export const Operator = {
  add: 0,
  conv: 3,
  depthwiseConv: 4,
  dequantize: 6,
  sigmoid: 14,
  multiply: 18,
  relu: 19,
  resizeBilinear: 23,
  custom: 32,
  mean: 40,
  hardSwish: 117,
} as const;

/** Types of the numbers of a tensor in the file (`TensorType`). */
export const NumberType = { float32: 0, float16: 1 } as const;

export interface ModelTensor {
  shape: number[];
  type: number;
  /** Bytes of a constant; empty for the result of an operator. */
  data: DataView;
}

export interface ModelOperator {
  code: number;
  /** Name of a custom operator. */
  name: string;
  inputs: number[];
  outputs: number[];
  /** Horizontal and vertical steps of a convolution. */
  strides: [number, number];
  padding: 'same' | 'valid';
}

export interface Model {
  tensors: ModelTensor[];
  operators: ModelOperator[];
  input: number;
  output: number;
}

/** Parses a model file. Throws a `RangeError` when it ends too early. */
export function parseModel(file: ArrayBuffer): Model {
  const bytes = new DataView(file);
  const root = new Table(bytes, bytes.getUint32(0, true));
  const codes = root.tables(1).map((code) => ({ code: code.int32(3), name: code.text(1) }));
  const buffers = root.tables(4);
  const [graph] = root.tables(2);
  if (!graph) throw new RangeError('the model has no graph');
  const operators = graph.tables(3).map((operator): ModelOperator => {
    const { code = 0, name = '' } = codes[operator.int32(0)] ?? {};
    // Options of a convolution: padding, horizontal step, vertical step.
    const options = code === Operator.conv || code === Operator.depthwiseConv ? operator.table(4) : null;
    return {
      code,
      name,
      inputs: operator.int32s(1),
      outputs: operator.int32s(2),
      strides: [options?.int32(1) ?? 1, options?.int32(2) ?? 1],
      padding: options?.byte(0) === 1 ? 'valid' : 'same',
    };
  });
  return {
    tensors: graph.tables(0).map((tensor) => ({
      shape: tensor.int32s(0),
      type: tensor.byte(1),
      data: buffers[tensor.int32(2)]?.bytes(0) ?? EMPTY,
    })),
    operators,
    input: graph.int32s(1)[0] ?? 0,
    output: graph.int32s(2)[0] ?? 0,
  };
}

/** Returns the value of a number with half precision (IEEE 754 binary16). */
export function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const EMPTY = new DataView(new ArrayBuffer(0));

/** A table of a FlatBuffer, whose fields are found through its vtable. */
class Table {
  private readonly vtable: number;

  constructor(
    private readonly file: DataView,
    private readonly position: number,
  ) {
    this.vtable = position - file.getInt32(position, true);
  }

  byte(field: number): number {
    const at = this.field(field);
    return at === 0 ? 0 : this.file.getUint8(at);
  }

  int32(field: number): number {
    const at = this.field(field);
    return at === 0 ? 0 : this.file.getInt32(at, true);
  }

  int32s(field: number): number[] {
    const { start, count } = this.vector(field);
    return Array.from({ length: count }, (_, index) => this.file.getInt32(start + 4 * index, true));
  }

  table(field: number): Table | null {
    const at = this.field(field);
    return at === 0 ? null : new Table(this.file, this.follow(at));
  }

  tables(field: number): Table[] {
    const { start, count } = this.vector(field);
    return Array.from({ length: count }, (_, index) => new Table(this.file, this.follow(start + 4 * index)));
  }

  bytes(field: number): DataView {
    const { start, count } = this.vector(field);
    return new DataView(this.file.buffer, start, count);
  }

  text(field: number): string {
    return new TextDecoder().decode(this.bytes(field));
  }

  private vector(field: number): { start: number; count: number } {
    const at = this.field(field);
    if (at === 0) return { start: 0, count: 0 };
    const start = this.follow(at);
    return { start: start + 4, count: this.file.getUint32(start, true) };
  }

  /** Position of a field; 0 where the table leaves it out. */
  private field(index: number): number {
    const entry = 4 + 2 * index;
    if (entry >= this.file.getUint16(this.vtable, true)) return 0;
    const offset = this.file.getUint16(this.vtable + entry, true);
    return offset === 0 ? 0 : this.position + offset;
  }

  private follow(at: number): number {
    return at + this.file.getUint32(at, true);
  }
}

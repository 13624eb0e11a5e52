// The global scope of audio worklets (Web Audio API, section 1.32), which TypeScript does not bring.

declare const currentFrame: number;
declare const currentTime: number;
declare const sampleRate: number;

interface MessagePort {
  onmessage: ((event: { data: any }) => void) | null;
  postMessage(message: any, transfer?: any[]): void;
}

declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  constructor(options?: any);
  abstract process(inputs: Float32Array[][], outputs: Float32Array[][], parameters: Record<string, Float32Array>): boolean | void;
}

declare function registerProcessor(name: string, processor: new (options: any) => AudioWorkletProcessor): void;

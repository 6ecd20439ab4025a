/** The part of protoo-client (which has no types of its own) that the test client uses. */
declare module 'protoo-client' {
  interface Message {
    method: string;
    data: unknown;
  }

  export class WebSocketTransport {
    constructor(url: string);
  }

  export class Peer {
    constructor(transport: WebSocketTransport);
    request<T>(method: string, data?: object): Promise<T>;
    close(): void;
    on(
      event: 'request',
      listener: (request: Message, accept: (data?: object) => void, reject: (code: number, reason: string) => void) => void,
    ): void;
    on(event: 'notification', listener: (notification: Message) => void): void;
    on(event: 'open' | 'failed' | 'disconnected' | 'close', listener: () => void): void;
  }
}

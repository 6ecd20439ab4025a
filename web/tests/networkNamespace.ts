/**
 * A device with a network of its own, joined to ours by a cable. Its address can change, and a firewall can stand in
 * between.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from '@playwright/test';
import { CHROMIUM, launchChromium } from './browsers';

/** Address of our end of the cable, and those that the device has by turns. */
const OURS = '10.213.7.1';
const ADDRESSES = ['10.213.7.2', '10.213.7.3'] as const;
const NAME = 'watersmeet-device';
/** Our end's name, and that of the device's end. */
const [OUR_END, DEVICE_END] = ['wm-ours', 'wm-device'];

/** Whether this process may change the network: `scripts/private-network` has given it one of its own. */
export const HAS_PRIVATE_NETWORK = process.env.WATERSMEET_PRIVATE_NETWORK === '1';

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

export class NetworkNamespace {
  private readonly folder = mkdtempSync(join(tmpdir(), 'watersmeet-device-'));
  private current: string = ADDRESSES[0];
  private hasFirewall = false;

  private constructor() {}

  static create(): NetworkNamespace {
    ip('netns', 'add', NAME);
    ip('link', 'add', OUR_END, 'type', 'veth', 'peer', 'name', DEVICE_END, 'netns', NAME);
    ip('address', 'add', `${OURS}/24`, 'dev', OUR_END);
    ip('link', 'set', OUR_END, 'up');
    const device = new NetworkNamespace();
    device.inside('link', 'set', 'lo', 'up');
    device.inside('link', 'set', DEVICE_END, 'up');
    device.inside('address', 'add', `${device.current}/24`, 'dev', DEVICE_END);
    return device;
  }

  /** Address at which the device reaches this machine. */
  get hostAddress(): string {
    return OURS;
  }

  /** Takes the device's address away: its packets go nowhere. */
  removeAddress(): void {
    this.inside('address', 'delete', `${this.current}/24`, 'dev', DEVICE_END);
  }

  /** Gives the device the other address, from which everything can be reached at once. */
  addOtherAddress(): void {
    this.current = this.current === ADDRESSES[0] ? ADDRESSES[1] : ADDRESSES[0];
    this.inside('address', 'add', `${this.current}/24`, 'dev', DEVICE_END);
  }

  /** Lets through nothing from the device but connections to this TCP port of ours. */
  allowOnlyPort(port: number): void {
    const rule = (...args: string[]) => execFileSync('iptables', ['-A', 'INPUT', '-i', OUR_END, ...args]);
    rule('-p', 'tcp', '--dport', String(port), '-j', 'ACCEPT');
    rule('-j', 'DROP');
    this.hasFirewall = true;
  }

  /** Loses this share of the packets that come to the device, from now on. */
  loseArrivals(share: number): void {
    const rules = (...args: string[]) => execFileSync('ip', ['netns', 'exec', NAME, 'iptables', ...args]);
    rules('-F', 'INPUT');
    const random = ['-m', 'statistic', '--mode', 'random', '--probability', String(share)];
    rules('-A', 'INPUT', '-i', DEVICE_END, ...random, '-j', 'DROP');
  }

  /** Launches Chromium with these arguments on the device. */
  launchChromium(cameraFps: number, args: string[]): Promise<Browser> {
    const script = join(this.folder, 'chromium');
    writeFileSync(script, `#!/bin/sh\nexec ip netns exec ${NAME} '${CHROMIUM}' "$@"\n`);
    chmodSync(script, 0o755);
    return launchChromium(cameraFps, args, script);
  }

  remove(): void {
    if (this.hasFirewall) execFileSync('iptables', ['-F', 'INPUT']);
    // The namespace itself would take its cable along some time later.
    ip('link', 'delete', OUR_END);
    ip('netns', 'delete', NAME);
    rmSync(this.folder, { recursive: true });
  }

  private inside(...args: string[]): void {
    ip('-netns', NAME, ...args);
  }
}

/** Launches the browsers of the tests, with fake cameras and microphones. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, firefox, type Browser } from '@playwright/test';
import { writePortraitVideo } from './portraitVideo';

/**
 * `chromium-rfc8888` sends congestion control feedback of RFC 8888 in place of transport-wide feedback. The camera of
 * `chromium-portrait` shows a person. `chromium-any-certificate` accepts self-signed certificates.
 */
export type BrowserName = 'chromium' | 'chromium-any-certificate' | 'chromium-rfc8888' | 'chromium-portrait' | 'firefox';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Lets Chromium send the feedback of RFC 8888 whatever was negotiated. */
const RFC_8888_TRIAL = '--force-fieldtrials=WebRTC-RFC8888CongestionControlFeedback/Enabled,force_send:true/';
const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** Frame rate of the fake camera; the tests require 15 decoded frames per second. */
const CAMERA_FPS = 24;
/** The same where no media is checked: each frame is drawn and encoded without a graphics processor. */
const CAMERA_FPS_WITHOUT_MEDIA = 5;

export function launch(name: BrowserName, checksMedia: boolean): Promise<Browser> {
  if (name === 'firefox') return launchFirefox();
  const cameraFps = checksMedia ? CAMERA_FPS : CAMERA_FPS_WITHOUT_MEDIA;
  return launchChromium(cameraFps, chromiumArguments(name));
}

function chromiumArguments(name: Exclude<BrowserName, 'firefox'>): string[] {
  switch (name) {
    case 'chromium':
      return [];
    case 'chromium-any-certificate':
      return ['--ignore-certificate-errors'];
    case 'chromium-rfc8888':
      return [RFC_8888_TRIAL];
    case 'chromium-portrait': {
      const path = join(mkdtempSync(join(tmpdir(), 'portrait-')), 'portrait.y4m');
      writePortraitVideo(path);
      return [`--use-file-for-fake-video-capture=${path}`];
    }
  }
}

/** Launches Chromium with a fake camera of this frame rate; `executablePath` starts it in another way. */
export function launchChromium(cameraFps: number, args: string[], executablePath = CHROMIUM): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--use-fake-device-for-media-stream=fps=${cameraFps}`,
      '--use-fake-ui-for-media-stream',
      '--allow-loopback-in-peer-connection',
      ...args,
    ],
  });
}

/** Launches stock Firefox over WebDriver BiDi. */
function launchFirefox(): Promise<Browser> {
  return firefox.launch({
    channel: 'moz-firefox',
    executablePath: FIREFOX,
    firefoxUserPrefs: {
      'intl.accept_languages': 'en-US, en',
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.peerconnection.ice.loopback': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      // Firefox downloads its H.264 encoder, and tests must not use the network. With these it
      // decodes H.264 with the system's libavcodec; encoding with that is too slow for calls.
      'media.webrtc.hw.h264.enabled': true,
      'gfx.blacklist.webrtc.hw.acceleration.h264': 1,
    },
  });
}

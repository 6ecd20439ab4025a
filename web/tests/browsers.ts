/** Launches the browsers of the tests, with fake cameras and microphones. */
import { chromium, firefox, type Browser } from '@playwright/test';

/** `chromium-rfc8888` sends congestion control feedback of RFC 8888 in place of transport-wide feedback. */
export type BrowserName = 'chromium' | 'chromium-rfc8888' | 'firefox';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Lets Chromium send the feedback of RFC 8888 whatever was negotiated. */
const RFC_8888_TRIAL = '--force-fieldtrials=WebRTC-RFC8888CongestionControlFeedback/Enabled,force_send:true/';
const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** Frame rate of the fake camera; the tests require 15 decoded frames per second. */
const CAMERA_FPS = 24;

export function launch(name: BrowserName): Promise<Browser> {
  if (name === 'firefox') return launchFirefox();
  return launchChromium(name === 'chromium' ? [] : [RFC_8888_TRIAL]);
}

function launchChromium(args: string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--use-fake-device-for-media-stream=fps=${CAMERA_FPS}`,
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

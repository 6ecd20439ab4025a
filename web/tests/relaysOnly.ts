/** Participants who connect through TURN servers only, and which candidates their connections use. */
import type { Page } from '@playwright/test';
import type { CallParticipant } from './callFixture';

/** Reloads the page with connections limited to relay candidates, from TURN servers with such URLs. */
export async function useRelaysOnly(participant: CallParticipant, urlPattern = ''): Promise<void> {
  await participant.page.addInitScript((pattern) => {
    const Original = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        const iceServers = configuration?.iceServers?.map((server) => ({
          ...server,
          urls: [server.urls].flat().filter((url) => new RegExp(pattern).test(url)),
        }));
        super({ ...configuration, ...(iceServers && { iceServers }), iceTransportPolicy: 'relay' });
      }
    };
  }, urlPattern);
  await participant.reload();
}

/** Returns the type of the selected local candidate of each transport of the page. */
export function candidateTypes(page: Page): Promise<string[]> {
  return selectedCandidates(page, 'candidateType');
}

/** Returns a field of the selected local candidate of each transport of the page. */
export function selectedCandidates(page: Page, field: 'candidateType' | 'relayProtocol'): Promise<string[]> {
  return page.evaluate(async (name) => {
    const values: string[] = [];
    for (const connection of window.connections) {
      const stats = await connection.getStats();
      for (const report of stats.values()) {
        if (report.type !== 'transport') continue;
        const pair = stats.get(report.selectedCandidatePairId);
        values.push(String(stats.get(pair?.localCandidateId)?.[name]));
      }
    }
    return values;
  }, field);
}

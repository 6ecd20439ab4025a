/** The history of calls (`/api/history`), with the bodies of its OpenAPI description. */

export interface HistoryCause {
  code: string;
  text: string;
  /** Whether it is only worth knowing, and need not have disturbed anybody. */
  isNote: boolean;
}

export interface HistoryCall {
  id: string;
  room: string;
  startedAt: string;
  endedAt: string | null;
  participantCount: number;
  causes: HistoryCause[];
}

export interface HistoryDirection {
  kbps: number;
  lossPercent: number;
}

export interface HistoryMinute {
  /** Number of the minute in the call, from 0 on. */
  number: number;
  route: string | null;
  roundTripMs: number | null;
  down: HistoryDirection;
  up: HistoryDirection;
  causes: HistoryCause[];
}

export interface HistoryParticipant {
  id: string;
  number: number;
  name?: string;
  dialect: string;
  joinedAt: string;
  leftAt: string | null;
  causes: HistoryCause[];
  minutes: HistoryMinute[];
}

export interface HistoryCallDetails extends HistoryCall {
  participants: HistoryParticipant[];
  isTruncated: boolean;
}

export interface HistoryPage {
  calls: HistoryCall[];
  next: string | null;
}

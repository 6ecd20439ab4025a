/** Panel of statistics beside the tiles: figures of each track, and the likely cause of what is bad. Loaded on demand. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { CallStatistics, totalBitrate, type PersonStatistics, type TrackStatistics } from '../callStatistics';
import { formatNumber, formatUnit, t } from '../i18n/translate';
import type { Room } from '../room';
import '../styles/stats.css';
import { causeText, labelOf, ownCauseText, symptomText } from './messages';
import { CloseIcon } from './icons';
import { onEscape, usePanelFocus } from './panelFocus';
import { Sparkline } from './Sparkline';

const COPIED_MS = 2_000;

export interface StatsPanelProps {
  room: Room;
  close(): void;
}

export function StatsPanel({ room, close }: StatsPanelProps) {
  const panel = usePanelFocus('button');
  const statistics = useMemo(() => new CallStatistics(room), [room]);
  useEffect(() => {
    statistics.start();
    return () => statistics.stop();
  }, [statistics]);
  const people = statistics.people.value;
  return (
    <aside class="panel stats" aria-label={t('stats.title')} ref={panel} onKeyDown={onEscape(close)}>
      <header class="panel-head">
        <h2>{t('stats.title')}</h2>
        <button type="button" class="ghost" aria-label={t('stats.close')} onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <div class="panel-body" tabIndex={0} role="group" aria-label={t('stats.title')}>
        {people ? people.map((person) => <Person key={person.participant?.id ?? ''} person={person} all={people} />) : <p class="stats-note">{t('stats.measuring')}</p>}
      </div>
      <div class="panel-foot">
        <CopyJsonButton statistics={statistics} />
      </div>
    </aside>
  );
}

function Person({ person, all }: { person: PersonStatistics; all: PersonStatistics[] }) {
  const { participant, tracks, cause, symptoms } = person;
  const name = participant ? labelOf(participant.identity) : '';
  const reasons = [
    ...(cause === 'connection' || cause === 'device' ? [ownCauseText(cause)] : cause ? [causeText(cause, name)] : []),
    ...symptoms.map(symptomText),
  ];
  return (
    <section class="stats-person" aria-label={name || t('stats.connection')}>
      <h3>{participant ? <bdi>{name}</bdi> : t('stats.connection')}</h3>
      {reasons.length > 0 && (
        <div class="stats-why">
          <h4>{t('stats.why')}</h4>
          <ul>
            {reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </div>
      )}
      {!participant && <Connection all={all} />}
      {!participant && <h4>{t('stats.you')}</h4>}
      {tracks.length === 0 && <p class="stats-note">{t('stats.nothing')}</p>}
      {tracks.map((track) => (
        <Track key={track.key} track={track} />
      ))}
    </section>
  );
}

/** The whole connection: what is received and sent in all. */
function Connection({ all }: { all: PersonStatistics[] }) {
  const own = all.filter(({ participant }) => !participant).flatMap(({ tracks }) => tracks);
  const others = all.filter(({ participant }) => participant).flatMap(({ tracks }) => tracks);
  const rttMs = [...others, ...own].find((track) => track.rttMs !== undefined)?.rttMs;
  return (
    <dl class="stats-figures">
      <Figure label={t('stats.received')} value={kilobits(totalBitrate(others))} />
      <Figure label={t('stats.sent')} value={kilobits(totalBitrate(own))} />
      <Figure label={t('stats.roundTrip')} value={rttMs === undefined ? '' : formatUnit(rttMs, 'millisecond')} />
    </dl>
  );
}

function Track({ track }: { track: TrackStatistics }) {
  const { bitrates, bitrate, lossShare, jitterMs, rttMs, codec, route } = track;
  return (
    <div class="stats-track" role="group" aria-label={sourceLabel(track)}>
      <div class="stats-track-head">
        <h4>{sourceLabel(track)}</h4>
        <Sparkline values={bitrates} />
      </div>
      <dl class="stats-figures">
        <Figure label={t('stats.bitrate')} value={kilobits(bitrate)} />
        <Figure label={t('stats.resolution')} value={track.width && track.height ? `${track.width} × ${track.height}` : ''} />
        <Figure label={t('stats.frameRate')} value={track.frameRate === undefined ? '' : formatNumber(Math.round(track.frameRate))} />
        <Figure label={t('stats.layer')} value={layerText(track)} />
        <Figure label={t('stats.loss')} value={formatUnit(lossShare * 100, 'percent', 1)} />
        <Figure label={t('stats.jitter')} value={jitterMs === undefined ? '' : formatUnit(jitterMs, 'millisecond')} />
        <Figure label={t('stats.roundTrip')} value={rttMs === undefined ? '' : formatUnit(rttMs, 'millisecond')} />
        <Figure label={t('stats.codec')} value={codec ?? ''} />
        <Figure label={t('stats.route')} value={route === 'relay' ? t('stats.relay') : (route?.toUpperCase() ?? '')} />
      </dl>
    </div>
  );
}

/** A figure with its label; nothing where there is no value. */
function Figure({ label, value }: { label: string; value: string }) {
  if (!value) return null;
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function sourceLabel({ source }: TrackStatistics): string {
  switch (source) {
    case 'mic':
      return t('device.microphone');
    case 'screen':
      return t('stats.screen');
    case 'screen-audio':
      return t('stats.screenSound');
    default:
      return t('device.camera');
  }
}

/** The layer that is received, or the heights of those that are sent. */
function layerText({ layer, sentLayers }: TrackStatistics): string {
  if (layer) return t('stats.layerOf', layer);
  return sentLayers ? sentLayers.map(({ height }) => `${height}p`).join(' + ') : '';
}

function kilobits(bitrate: number): string {
  return formatUnit(bitrate / 1_000, 'kilobit-per-second');
}

/** Copies all figures; shows them in a text field where the browser forbids copying. */
function CopyJsonButton({ statistics }: { statistics: CallStatistics }) {
  const isCopied = useSignal(false);
  const shown = useSignal('');
  const copy = async () => {
    const json = statistics.toJson();
    try {
      await navigator.clipboard.writeText(json);
      shown.value = '';
      isCopied.value = true;
      setTimeout(() => (isCopied.value = false), COPIED_MS);
    } catch {
      shown.value = json;
    }
  };
  return (
    <>
      <button type="button" class="button" aria-disabled={!statistics.people.value} onClick={() => void (statistics.people.value && copy())}>
        {t(isCopied.value ? 'stats.copied' : 'stats.copy')}
      </button>
      <span class="hidden" role="status">
        {isCopied.value ? t('stats.copied') : ''}
      </span>
      {shown.value && (
        <label class="stats-json">
          {t('stats.copyByHand')}
          <textarea readOnly rows={4} value={shown.value} onFocus={(event) => event.currentTarget.select()} />
        </label>
      )}
    </>
  );
}

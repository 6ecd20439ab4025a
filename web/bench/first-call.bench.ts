/**
 * The first call of a server that was installed a moment ago, for `scripts/check-first-call`: two Chromium join a room
 * at `FIRST_CALL_URL`, and each receives sound and moving pictures of the other.
 */
import { ROOM, expectAllReceiveAll, test } from '../tests/callFixture';

const URL_OF_PAGE = process.env.FIRST_CALL_URL ?? '';

test('two people see and hear one another', async ({ call }) => {
  test.skip(URL_OF_PAGE === '', 'FIRST_CALL_URL is not set');
  const arrival = { browser: 'chromium-any-certificate', base: URL_OF_PAGE, room: ROOM } as const;
  const [ana, ben] = [await call.join('ana', arrival), await call.join('ben', arrival)];
  await expectAllReceiveAll([ana, ben]);
});

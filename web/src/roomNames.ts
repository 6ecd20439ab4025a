/** Generates names for new rooms: easy to say, hard to guess. */

const ADJECTIVES = splitWords(`amber brave brisk calm clear cool cosy crisp deep early even fair fine fleet fond fresh
  gentle glad golden grand green happy high honest hidden idle jolly keen kind late light lively lone lucky
  mellow merry mild misty neat noble open pale plain proud quick quiet rapid ready rosy silent silver slow
  smooth soft still sunny swift tidy warm wide wild wise young`);
const WATERS = splitWords(`bay bayou beach beck bend bight bridge brook canal cape cascade channel cliff coast cove
  creek current dale delta dock dune eddy estuary falls ferry fjord ford fountain glade gorge gulf harbor haven
  inlet island isle jetty lagoon lake landing ledge marsh meadow mere mill moor mouth narrows oasis pier pond
  pool port quay rapids reef ridge river shoal shore sound spring stream tarn tide vale wharf`);
const ANIMALS = splitWords(`avocet badger beaver bittern coot cormorant crane cricket curlew dipper dolphin dove duck
  eagle egret eider falcon finch fox frog gannet goose grebe gull hare heron ibis kestrel kite lark linnet loon
  lynx marten merlin mink moth newt osprey otter owl oyster pelican perch pike plover puffin rail raven robin
  salmon seal shrew skylark snipe stork swallow swan swift teal tern trout turtle wader whale wren`);

/** Leaves out letters and digits that are easily confused. */
const SUFFIX_ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz';
const SUFFIX_LENGTH = 4;

/** Generates a name such as `quiet-delta-heron-k7qm`: about 38 bits; a rate limit makes guessing hopeless. */
export function generateRoomName(random: (below: number) => number = secureRandom): string {
  const suffix = Array.from({ length: SUFFIX_LENGTH }, () => SUFFIX_ALPHABET.charAt(random(SUFFIX_ALPHABET.length))).join('');
  return [...generateWords(random), suffix].join('-');
}

/** Generates a title such as `Quiet delta heron`, for a room whose id nobody needs to read. */
export function generateRoomTitle(random: (below: number) => number = secureRandom): string {
  const title = generateWords(random).join(' ');
  return title.charAt(0).toUpperCase() + title.slice(1);
}

function generateWords(random: (below: number) => number): string[] {
  return [ADJECTIVES, WATERS, ANIMALS].map((list) => list[random(list.length)] ?? '');
}

function secureRandom(below: number): number {
  const [value = 0] = crypto.getRandomValues(new Uint32Array(1));
  return value % below;
}

function splitWords(text: string): string[] {
  return text.split(/\s+/);
}

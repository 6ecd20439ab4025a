/**
 * The page's texts in English: the first language, and the one that shows what others lack. Messages are in the
 * ICU format. An apostrophe before a brace quotes it, so that texts write ’ there.
 */
export const EN = {
  // Browser window and language
  'page.title': '{room} · Watersmeet',
  'language.label': 'Language',

  // Text fields
  'field.tooLong': 'At most {max, number} characters fit here.',

  // First page
  'landing.title': 'Meet where the streams come together.',
  'landing.lead': 'Open a room, send the link, and talk. No account, nothing to install.',
  'landing.newMeeting': 'New meeting',
  'landing.or': 'or',
  'landing.roomOrLink': 'Room name or link',
  'landing.join': 'Join',
  'landing.nothingTyped': 'Type a room name or paste a link first.',
  'landing.noRoomInLink': 'That link names no room.',
  'landing.otherServer': 'That link leads to another server, {host}. Open it in a new tab if you trust it.',
  'landing.slashInName': 'A room’s name has no slash. To open a link, paste all of it.',
  'landing.titleLabel': 'Name of the meeting (optional)',
  'landing.titlePlaceholder': 'Weekly meeting',

  // Who can come in
  'policy.label': 'Who can come in',
  'policy.open': 'Anyone with the link',
  'policy.invite-only': 'Invited people only',
  'policy.approval': 'People whom I let in',
  'policy.locked': 'Nobody: the room is locked',

  // A room cannot be created
  'createRoom.unreachable': 'The server cannot be reached. Check your connection and try again.',
  'createRoom.unavailable': 'This server makes no invitations. Choose “Anyone with the link” instead.',
  'createRoom.forbidden': 'This server does not let everybody make such rooms. Choose “Anyone with the link” instead.',
  'createRoom.rate-limited': 'Too many rooms were made in a short time. Wait a minute and try again.',
  'createRoom.refused': 'The server could not make the room. Try again.',

  // Preview before joining
  'lobby.aboutToJoin': 'You are about to join',
  'lobby.yourName': 'Your name',
  'lobby.namePlaceholder': 'How others will see you',
  'lobby.join': 'Join now',
  'lobby.otherRoom': 'Choose another room',
  'preview.label': 'Preview',
  'preview.awaitingPermission': 'Waiting for your permission…',
  'preview.cameraOff': 'Camera is off',

  // Devices
  'device.camera': 'Camera',
  'device.microphone': 'Microphone',
  'device.cameraNumber': 'Camera {number}',
  'device.microphoneNumber': 'Microphone {number}',
  'device.noCamera': 'No camera available',
  'device.noMicrophone': 'No microphone available',
  'device.yourCamera': 'Your camera',
  'device.mute': 'Mute microphone',
  'device.unmute': 'Unmute microphone',
  'device.cameraOn': 'Turn camera on',
  'device.cameraOff': 'Turn camera off',
  'devices.title': 'Devices',
  'devices.done': 'Done',
  'meter.label': 'Microphone level',
  'meter.muted': 'Muted',
  'meter.heard': 'We hear you',
  'meter.silent': 'Say something',

  // A device cannot be used, before the call and in it
  'deviceError.camera.denied': 'This page may not use your camera. Allow it beside the page’s address and switch it on again.',
  'deviceError.camera.missing': 'No camera was found. Plug one in and switch it on again.',
  'deviceError.camera.busy':
    'Your camera cannot be opened; another program may be using it. Close that and switch it on again.',
  'deviceError.camera.insecure':
    'Browsers open the camera only on a secure page. Use an https:// address, or localhost on this computer.',
  'deviceError.camera.failed': 'Your camera could not be started. Switch it on again to try once more.',
  'deviceError.microphone.denied':
    'This page may not use your microphone. Allow it beside the page’s address and switch it on again.',
  'deviceError.microphone.missing': 'No microphone was found. Plug one in and switch it on again.',
  'deviceError.microphone.busy':
    'Your microphone cannot be opened; another program may be using it. Close that and switch it on again.',
  'deviceError.microphone.insecure':
    'Browsers open the microphone only on a secure page. Use an https:// address, or localhost on this computer.',
  'deviceError.microphone.failed': 'Your microphone could not be started. Switch it on again to try once more.',
  'deviceError.both.denied':
    'This page may not use your camera and microphone. Allow it beside the page’s address and switch them on again.',
  'deviceError.both.missing': 'No camera or microphone was found. Plug one in and switch it on again.',
  'deviceError.both.busy':
    'Your camera and microphone cannot be opened; another program may be using them. Close that and switch them on again.',
  'deviceError.both.insecure':
    'Browsers open the camera and microphone only on a secure page. Use an https:// address, or localhost on this computer.',
  'deviceError.both.failed': 'Your camera and microphone could not be started. Switch them on again to try once more.',
  'deviceError.joinWithout': 'You can also join without.',

  // A screen cannot be shared
  'screenError.denied':
    'Your system does not let this browser record the screen. Allow it in the privacy settings of the system.',
  'screenError.failed': 'Your screen could not be shared. Choose another window or screen.',

  // Joining failed
  'joinFailure.unreachable': 'The server cannot be reached. Check your connection and try again.',
  'joinFailure.unsupported': 'This browser cannot make video calls. Try a current Chrome, Edge, Firefox or Safari.',
  'joinFailure.invitationInvalid':
    'Your invitation does not open this room: it has run out, or it is for another room. Ask for a new link.',
  'joinFailure.invitationNeeded':
    'This room is only for people with an invitation. Open the link that you were sent, or ask for one.',
  'joinFailure.forbidden': 'You may not come into this room. Ask the people who made it.',
  'joinFailure.banned': 'A host of this meeting keeps you out. Ask them if you think that is a mistake.',
  'joinFailure.roomLocked':
    'This room is locked: nobody can join now. Ask somebody inside to open it, or try again later.',
  'joinFailure.roomNotFound': 'There is no such room. Check the link, or ask for a new one.',
  'joinFailure.roomFull': 'This room is full. Try again when somebody has left.',
  'joinFailure.serverFull': 'The server has no place for this meeting now. Try again in a few minutes.',
  'joinFailure.rateLimited': 'You have tried too often in a short time. Wait a minute and try again.',
  'joinFailure.other': 'The server did not let you in ({reason}).',

  // Waiting for a host
  'waiting.label': 'Waiting',
  'waiting.atTheDoor': 'You are at the door of',
  'waiting.title': 'Waiting for the host',
  'waiting.hostKnows': 'The host knows that you are here. You go in as soon as you are let in.',
  'waiting.noHost': 'No host is here now. You can go in when one comes and lets you in.',
  'waiting.disconnected': 'The connection was lost. You keep waiting as soon as it is back.',

  // Connection of a call
  'connection.label': 'Connection',
  'connection.joining': 'Connecting…',
  'connection.reconnecting': 'Reconnecting…',
  'connection.impaired': 'Poor connection',
  'connection.live': 'Connected',
  'banner.reconnecting': 'The connection was lost. Getting you back in…',
  'banner.tryNow': 'Try now',
  'banner.audioBlocked': 'Your browser holds back the sound.',
  'banner.playSound': 'Play sound',

  // Controls of a call
  'controls.label': 'Call controls',
  'controls.microphoneNotForViewers': 'Microphone: not for viewers',
  'controls.cameraNotForViewers': 'Camera: not for viewers',
  'controls.cameraPaused': 'Camera: paused to save data',
  'controls.saveData': 'Audio and shared screen only',
  'controls.shareScreen': 'Share screen',
  'controls.sharedScreens': 'Your shared screens',
  'controls.askToSpeak': 'Ask to speak',
  'controls.asked': 'Asked',
  'controls.leave': 'Leave',
  'copyLink.copy': 'Copy link',
  'copyLink.copied': 'Link copied',
  'copyLink.byHand': 'Copy this link',

  // People
  'people.stage': 'People',
  'people.you': 'You',
  'people.youNamed': '{name} (you)',
  'people.guest': 'Guest {number}',
  'people.voice': "{name}'s voice",
  'people.camera': "{name}'s camera",
  'people.title': 'Participants',
  'people.count': 'Participants ({count, number})',
  'people.close': 'Close participants',
  'people.audience': '{count, plural, one {and one more who only watches and listens} other {and # more who only watch and listen}}',
  'people.muted': 'Muted',
  'people.unmuted': 'Unmuted',
  'people.speaking': 'Speaking',
  'people.cameraOn': 'Camera on',
  'people.cameraOff': 'Camera off',
  'people.sharing': 'Sharing a screen',
  'role.host': 'Host',
  'role.viewer': 'Viewer',

  // Shared screens
  'screen.of': "{name}'s screen",
  'screen.numberedOf': "{name}'s screen {number}",
  'screen.video': 'Screen shared by {name}',
  'screen.numberedVideo': 'Screen {number} shared by {name}',
  'screen.sound': "Sound of {name}'s screen",
  'screen.loading': 'Loading the screen',
  'screen.own': 'Your screen',
  'screen.ownVideo': 'What others see of your screen',
  'screen.sharing': 'You are sharing your screen',
  'screen.number': 'Screen {number}',
  'screen.mode.text': 'Text',
  'screen.mode.text.hint': 'Sharp, for documents and slides',
  'screen.mode.motion': 'Motion',
  'screen.mode.motion.hint': 'Smooth, for films',
  'screen.stop': 'Stop sharing',
  'screen.another': 'Share another screen',

  // Layouts
  'layout.title': 'Layout',
  'layout.mode.auto': 'Automatic',
  'layout.mode.auto.hint': 'A shared screen is large, otherwise all are alike',
  'layout.mode.grid': 'Grid',
  'layout.mode.grid.hint': 'All are alike',
  'layout.mode.speaker': 'Speaker',
  'layout.mode.speaker.hint': 'Who speaks is large',
  'layout.hideOwn': 'Hide my tile',
  'layout.fullScreen': 'Full screen',
  'layout.leaveFullScreen': 'Leave the full screen',
  'layout.page': 'Page {page, number} of {pages, number}',
  'layout.previousPage': 'Previous page',
  'layout.nextPage': 'Next page',

  // Nobody else is shown
  'alone.nobody': 'Nobody else is here.',
  'alone.othersLeft': 'Everybody else has left.',
  'alone.othersWait': '{count, plural, one {Somebody waits to come in.} other {# people wait to come in.}}',
  'alone.audience': '{count, plural, one {One person watches and listens.} other {# people watch and listen.}}',
  'alone.sendLink': 'Send the link to those you want to meet.',
  'alone.locked': 'The room is locked: the link lets nobody in.',
  'alone.needsInvitation': 'Only people with an invitation can come in.',

  // Requests to hosts, and what hosts do
  'request.label': 'Request',
  'request.waits': '{name} waits to come in',
  'request.manyWait': '{count, plural, one {One person waits to come in} other {# people wait to come in}}',
  'request.asks': '{name} asks to speak',
  'request.manyAsk': '{count, plural, one {One person asks to speak} other {# people ask to speak}}',
  'request.deny': 'Deny',
  'request.admit': 'Admit',
  'request.notNow': 'Not now',
  'request.allow': 'Allow',
  'request.show': 'Show',
  'host.waiting': 'Waiting to come in',
  'host.asking': 'Asking to speak',
  'host.options': 'Options for {name}',
  'host.mute': 'Mute',
  'host.makeSpeaker': 'Make speaker',
  'host.makeViewer': 'Make viewer',
  'host.remove': 'Remove',
  'host.removeTitle': 'Remove {name}?',
  'host.removeText': '{name} leaves the meeting at once, and can join again unless you keep them out.',
  'host.keepOut': 'Keep {name} out of this meeting',
  'host.cancel': 'Cancel',
  'host.linkLacksInvitation': 'This room’s link carries no invitation: nobody new can come in by it.',

  // Tiles
  'tile.heldBack.bandwidth': 'Your connection is too slow for this picture.',
  'tile.heldBack.bandwidth.outlook': 'It comes back by itself.',
  'tile.heldBack.lastN': 'This meeting shows only some cameras at a time.',
  'tile.heldBack.lastN.outlook': 'This one is shown when its owner speaks.',
  'tile.notReceiving': 'Not receiving this camera, to save data',
  'tile.ownPaused': 'Your camera is paused to save data',
  'tile.loading': 'Loading the picture',
  'tile.frozen': 'The picture has stood still for {seconds, number} s',
  'tile.pin': 'Pin {name}',
  'tile.unpin': 'Unpin {name}',
  'tile.fullScreen': 'Show {name} on the full screen',
  'cause.own.connection': 'Your connection is slow',
  'cause.own.device': 'Your device is busy: others see you less clearly',
  'cause.theirs': '{name}’s connection is slow',
  'cause.either': 'The connection between you and {name} is slow',

  // Notifications in a call
  'notifications.label': 'Messages',
  'notifications.dismiss': 'Dismiss',
  'notification.joined': '{name} joined',
  'notification.left': '{name} left',
  'notification.policy.open': 'Anyone with the link can join now.',
  'notification.policy.invite-only': 'Only people with an invitation can join now.',
  'notification.policy.approval': 'A host lets in each new person now.',
  'notification.policy.locked': 'The room is locked now: nobody can join.',
  'notification.role.host': 'You are a host now. You find what you can do in the list of participants.',
  'notification.role.speaker': 'You can speak now: others hear and see what you switch on.',
  'notification.role.viewer': 'You are watching now: others do not hear or see you.',
  'notification.role.retired': 'You are no host any more.',
  'notification.muted.microphone': 'A host muted you.',
  'notification.muted.camera': 'A host turned your camera off.',
  'notification.viewerCannotSend': 'You are watching: others do not hear or see you. Ask to speak first.',
  'notification.cameraPaused':
    'Your camera is paused while you have audio and shared screen only. Switch that off first.',
  'notification.saveDataOffer':
    'Your connection has been slow for some time. Without cameras, more of it is left for sound.',
  'notification.saveDataOffer.button': 'Pause cameras',
  'notification.serverClosing':
    '{seconds, plural, =0 {The server restarts now.} one {The server restarts in one second.} other {The server restarts in # seconds.}} The call then continues by itself.',
  'notification.hostsAsked': 'The hosts have been asked. You can speak when one of them allows it.',
  'notification.hostsNotAsked': 'The hosts could not be asked ({reason}).',
  'notification.actionFailed': 'That could not be done ({reason}).',
  'notification.notSent.camera': 'Your camera is not being sent ({reason}).',
  'notification.notSent.mic': 'Your microphone is not being sent ({reason}).',
  'notification.notSent.screen': 'Your screen is not being sent ({reason}).',
  'notification.notSent.screen-audio': 'The sound of your screen is not being sent ({reason}).',
  'notification.notReceived': '{name} cannot be received ({reason}).',

  // Reasons of the server, within brackets
  'refusal.forbidden': 'you may not do that',
  'refusal.limit-reached': 'a limit of the server is reached',
  'refusal.rate-limited': 'too many requests in a short time',
  'refusal.timed-out': 'the server took too long',
  'refusal.unsupported': 'this browser lacks what the room uses',
  'refusal.other': 'the server said “{message}”',

  // After the call
  'left.left.title': 'You left the meeting',
  'left.left.lead': 'The room {room} stays open for those still in it.',
  'left.left.rejoin': 'Rejoin',
  'left.denied.title': 'You were not let in',
  'left.denied.lead': 'A host of {room} decided so. If that was a mistake, you can ask again.',
  'left.denied.rejoin': 'Ask again',
  'left.removed.title': 'A host removed you',
  'left.removed.lead': 'You are no longer in {room}. Nobody there hears or sees you.',
  'left.replaced.title': 'You joined from somewhere else',
  'left.replaced.lead': 'The meeting {room} goes on in your other window or on your other device.',
  'left.replaced.rejoin': 'Join here',
  'left.room-closed.title': 'The meeting is over',
  'left.room-closed.lead': 'The room {room} was closed for everybody.',
  'left.home': 'Home',

  // No page at this address
  'notFound.title': 'There is no page here',
  'notFound.lead': 'The address may be mistyped. Go to the start page and type the name of your room there.',
} as const;

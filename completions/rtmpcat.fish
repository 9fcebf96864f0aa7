# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rtmpcat_global_optspecs
    string join \n r/rtmp= i/url= n/host= c/port= l/protocol= a/app= y/playpath= Y/playlist v/live d/subscribe= A/start= B/stop= b/buffer= R/realtime o/flv= e/resume k/skip= absolute-timestamps #/hashes q/quiet V/verbose z/debug t/tcUrl= p/pageUrl= s/swfUrl= W/swfVfy= X/swfAge= w/swfhash= x/swfsize= f/flashVer= u/auth= C/conn= T/token= user= password-file= j/jtv= digest strict-order fast-start no-redirect m/timeout= connect-timeout= first-media-timeout= duration= max-size= segment-time= segment-size= segment-on= on-segment= keep= retry= retry-delay= retry-max-time= wait= index no-index fsync= events= legacy video-track= audio-track= legacy-tags trace= log-messages ipv4 ipv6 bind= S/socks= proxy= tunnel-ident cafile= pin= insecure cert= key= h/help version
end

function __fish_rtmpcat_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rtmpcat_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rtmpcat_using_subcommand
    set -l cmd (__fish_rtmpcat_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s r -l rtmp -d 'Stream to play, as the positional argument' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s i -l url -d 'Stream to play, in librtmp\'s form: "URL key=value key=value"; the keys start and stop are in milliseconds, \\20 is a space in a value' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s n -l host -d 'Host, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s c -l port -d 'Port, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s l -l protocol -d 'Protocol: 0 rtmp, 1 rtmpt, 2 rtmpe, 3 rtmpte, 4 rtmps, 5 rtmpts' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s a -l app -d 'Application, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s y -l playpath -d 'Stream name, in place of the URL\'s; taken as it is' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s d -l subscribe -d 'Name for FCSubscribe (with --live: the stream\'s)' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s A -l start -d 'Start this many seconds into an on-demand stream' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s B -l stop -d 'Stop at this many seconds into the stream; held by rtmpcat itself, for live streams too' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s b -l buffer -d 'Buffer length to announce, in milliseconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s o -l flv -d 'File to write; - or nothing is standard output' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s k -l skip -d 'With --resume: go on from so many keyframes before the last one' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s t -l tcUrl -d 'tcUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s p -l pageUrl -d 'pageUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s s -l swfUrl -d 'swfUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s W -l swfVfy -d 'SWF file of the player, by its URL: sent as swfUrl, fetched (through --proxy, trusting --cafile, where these are given), and proved to be known when the server asks' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s X -l swfAge -d 'Days for which a fetched SWF file is not asked for again; 0: ask each time [30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s w -l swfhash -d 'Hash of the unpacked SWF file (HMAC-SHA256, 64 hexadecimal digits), in place of --swfVfy; with --swfsize' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s x -l swfsize -d 'Size of the unpacked SWF file in bytes; with --swfhash' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s f -l flashVer -d 'Flash Player version to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s u -l auth -d 'String to append to connect, behind a true' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s C -l conn -d 'Value to append to connect: B:0|1, N:number, S:text, Z:, O:1 … O:0 with NB:, NN:, NS:, NO: inside. Repeatable' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s T -l token -d 'Key of SecureToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l user -d 'User for servers that ask for one (authmod); also rtmp://USER:PASSWORD@host and RTMPCAT_USER' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l password-file -d 'File with the password in its first line; also RTMPCAT_PASSWORD, both of which keep it out of the list of processes' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s j -l jtv -d 'Token for NetStream.Authenticate.UsherToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s m -l timeout -d 'Seconds without media after which the stream counts as stalled; 0: wait for ever' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l connect-timeout -d 'Seconds for each step of getting there: resolve, connect, handshake, commands' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l first-media-timeout -d 'Seconds from play to the first media' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l duration -d 'Stop after this many seconds of wall-clock time' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l max-size -d 'Stop when the output has this many bytes' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l segment-time -d 'Begin a new file at the first keyframe from every SECONDS of the recording on. In the name (-o) strftime\'s % stand for the time at which a file is begun, %{n:4} for its number in four digits at least (without the :4, in as many as it takes); a name without any gets a hyphen and the number. A file has .part behind its name until it is complete, and never takes the place of another' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l segment-size -d 'Begin a new file at the first keyframe once one has this many bytes' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l segment-on -d 'Begin a new file at the first keyframe behind a change' -r -f -a "codec-change\t'Another codec, or another configuration of it'"
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l on-segment -d 'Program to run (without a shell) for each complete file, with its name; one after the other, beside the recording. What it writes to standard output goes to standard error' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l keep -d 'Keep the newest N complete files; older ones of the same run are removed, once CMD has had them' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l retry -d 'Connect again when the connection breaks or stalls, up to N times in a row without media (inf: for ever). A live stream goes on in the same file at its next keyframe. What the server refuses is not tried again' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l retry-delay -d 'Seconds before the first of these attempts; twice as many before each one that follows, up to 30, all a little at random [1]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l retry-max-time -d 'Give up when the stream has not come back within this many seconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l wait -d 'Wait for a stream that is not there yet (for so long): not found, not published, nobody listening. With --retry also for a publisher who has left to come back' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l fsync -d 'Have the system bring the file to the disk this often, at the cost of speed [never]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l events -d 'Tell what happens in lines of JSON: to a file, a file descriptor that is open (a number), or - for standard output' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l video-track -d 'Save track N alone of multitrack video; 0 is the first one, and the only one of other streams' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l audio-track -d 'The same for audio' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l trace -d 'Write the conversation to this file (pcapng), for Wireshark and rtmpcat trace: as RTMP over TCP at port 1935, without TLS, RTMPE and tunnel. Passwords and tokens are in it as they were sent' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l bind -d 'Local address to connect from' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s S -l socks -d 'SOCKS4 proxy; its port is 1080 unless given' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l proxy -d 'Proxy: [socks4|socks4a|socks5|socks5h|http]://[user:password@]host[:port]; without it that of ALL_PROXY, unless NO_PROXY names the host; "" is none at all' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l cafile -d 'Trust the certificates in this PEM file instead of the system\'s (rtmps, rtmpts)' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l pin -d 'Accept only servers with this public key, besides all other checks; several with ; between them' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l cert -d 'PEM file of a client certificate, and perhaps of its key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l key -d 'PEM file of the client certificate\'s private key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s Y -l playlist -d 'Send set_playlist before play'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s v -l live -d 'The stream is live'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s R -l realtime -d 'Let the server set the pace: no pausing and unpausing when its buffer is empty'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s e -l resume -d 'Go on with the file where it breaks off (on-demand streams only); the same as without where there is none'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l absolute-timestamps -d 'Keep the server\'s timestamps instead of counting from 0'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s # -l hashes -d 'Show progress as hash marks'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s q -l quiet -d 'Say nothing'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s V -l verbose -d 'Say more: what is asked for, what is answered'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s z -l debug -d 'Say everything, bytes on the wire included'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l digest -d 'Ask for the digest handshake'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l strict-order -d 'Wait for each answer before the next command'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l fast-start -d 'Send connect, createStream and play together'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l no-redirect -d 'Do not follow redirects'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l index -d 'Begin a file with metadata that has its duration, size and keyframe index, kept up to date while it grows: it can be sought in at any time. Not on a pipe [default]'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l no-index -d 'Write the server\'s metadata as it is, without an index'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l legacy -d 'Do not announce Enhanced RTMP (fourCcList, capsEx, ...): send what Flash Player sent'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l legacy-tags -d 'Save H.264 and AAC that come with the headers of Enhanced RTMP (avc1, mp4a) with the old ones, for players that do not know these; of several tracks choose one'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l log-messages -d 'Print each message on a line: time, connection, direction, chunk stream, message stream, timestamp, type, length, contents; with --debug its bytes as well'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l ipv4 -d 'Use IPv4 only'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l ipv6 -d 'Use IPv6 only'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l tunnel-ident -d 'Ask for /fcs/ident2 before a tunnel is opened, as Flash Player does (rtmpt, rtmpts, rtmpte)'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l insecure -d 'Accept any certificate: anybody on the way can then read and change everything'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l version -d 'Print the version'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "serve" -d 'Serve FLV files, or a live test pattern, over RTMP'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "demo" -d 'Start the built-in server, save some seconds of its test pattern to demo.flv, and say what was saved'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "call" -d 'Call a method of the server and print its reply as JSON'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "probe" -d 'Tell whether a server is all right and what is in its stream'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "inspect" -d 'Tell what is in an FLV file and what is wrong with it'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "repair" -d 'Make a sound and seekable FLV of a cut, damaged or foreign one'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "trace" -d 'List the RTMP messages in a capture (pcapng or pcap)'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen -d 'Address and port to listen on for rtmp and rtmpe; port 0 takes a free one' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen-tls -d 'Speak TLS (rtmps) at this address and port besides' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen-tunnel -d 'Take HTTP tunnels (rtmpt, rtmpte) at this address and port besides' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen-tunnel-tls -d 'Take HTTP tunnels over TLS (rtmpts) at this address and port besides' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l cert -d 'PEM file of the certificate for TLS, and perhaps of its key; without one a self-signed one is made' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l key -d 'PEM file of the certificate\'s private key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l write-cert -d 'Write the certificates that were made (one for each TLS port) to this file, for players to trust (rtmpcat --cafile FILE)' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l chunk-size -d 'Chunk size to send with, in bytes' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l user -d 'Let in only this user, with the password of --password-file' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l password-file -d 'File with the password in its first line' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l authmod -d 'How to ask for the password' -r -f -a "adobe\t''
llnw\t''"
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l secure-token -d 'Let in only who knows this key (SecureToken)' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l swf-verify -d 'Let in only who proves to have this SWF file' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l max-clients -d 'Stop after this many players have come and gone' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l fast -d 'Send files as fast as the player takes them, whatever buffer it asks for'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -s q -l quiet -d 'Say nothing'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand demo" -s o -l output -d 'File to write' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand demo" -l seconds -d 'Seconds to save' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand demo" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s r -l rtmp -d 'Stream to play, as the positional argument' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s i -l url -d 'Stream to play, in librtmp\'s form: "URL key=value key=value"; the keys start and stop are in milliseconds, \\20 is a space in a value' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s n -l host -d 'Host, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s c -l port -d 'Port, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s l -l protocol -d 'Protocol: 0 rtmp, 1 rtmpt, 2 rtmpe, 3 rtmpte, 4 rtmps, 5 rtmpts' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s a -l app -d 'Application, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s y -l playpath -d 'Stream name, in place of the URL\'s; taken as it is' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s d -l subscribe -d 'Name for FCSubscribe (with --live: the stream\'s)' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s A -l start -d 'Start this many seconds into an on-demand stream' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s B -l stop -d 'Stop at this many seconds into the stream; held by rtmpcat itself, for live streams too' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s b -l buffer -d 'Buffer length to announce, in milliseconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s o -l flv -d 'File to write; - or nothing is standard output' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s k -l skip -d 'With --resume: go on from so many keyframes before the last one' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s t -l tcUrl -d 'tcUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s p -l pageUrl -d 'pageUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s s -l swfUrl -d 'swfUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s W -l swfVfy -d 'SWF file of the player, by its URL: sent as swfUrl, fetched (through --proxy, trusting --cafile, where these are given), and proved to be known when the server asks' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s X -l swfAge -d 'Days for which a fetched SWF file is not asked for again; 0: ask each time [30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s w -l swfhash -d 'Hash of the unpacked SWF file (HMAC-SHA256, 64 hexadecimal digits), in place of --swfVfy; with --swfsize' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s x -l swfsize -d 'Size of the unpacked SWF file in bytes; with --swfhash' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s f -l flashVer -d 'Flash Player version to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s u -l auth -d 'String to append to connect, behind a true' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s C -l conn -d 'Value to append to connect: B:0|1, N:number, S:text, Z:, O:1 … O:0 with NB:, NN:, NS:, NO: inside. Repeatable' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s T -l token -d 'Key of SecureToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l user -d 'User for servers that ask for one (authmod); also rtmp://USER:PASSWORD@host and RTMPCAT_USER' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l password-file -d 'File with the password in its first line; also RTMPCAT_PASSWORD, both of which keep it out of the list of processes' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s j -l jtv -d 'Token for NetStream.Authenticate.UsherToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s m -l timeout -d 'Seconds without media after which the stream counts as stalled; 0: wait for ever' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l connect-timeout -d 'Seconds for each step of getting there: resolve, connect, handshake, commands' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l first-media-timeout -d 'Seconds from play to the first media' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l duration -d 'Stop after this many seconds of wall-clock time' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l max-size -d 'Stop when the output has this many bytes' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l segment-time -d 'Begin a new file at the first keyframe from every SECONDS of the recording on. In the name (-o) strftime\'s % stand for the time at which a file is begun, %{n:4} for its number in four digits at least (without the :4, in as many as it takes); a name without any gets a hyphen and the number. A file has .part behind its name until it is complete, and never takes the place of another' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l segment-size -d 'Begin a new file at the first keyframe once one has this many bytes' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l segment-on -d 'Begin a new file at the first keyframe behind a change' -r -f -a "codec-change\t'Another codec, or another configuration of it'"
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l on-segment -d 'Program to run (without a shell) for each complete file, with its name; one after the other, beside the recording. What it writes to standard output goes to standard error' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l keep -d 'Keep the newest N complete files; older ones of the same run are removed, once CMD has had them' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l retry -d 'Connect again when the connection breaks or stalls, up to N times in a row without media (inf: for ever). A live stream goes on in the same file at its next keyframe. What the server refuses is not tried again' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l retry-delay -d 'Seconds before the first of these attempts; twice as many before each one that follows, up to 30, all a little at random [1]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l retry-max-time -d 'Give up when the stream has not come back within this many seconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l wait -d 'Wait for a stream that is not there yet (for so long): not found, not published, nobody listening. With --retry also for a publisher who has left to come back' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l fsync -d 'Have the system bring the file to the disk this often, at the cost of speed [never]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l events -d 'Tell what happens in lines of JSON: to a file, a file descriptor that is open (a number), or - for standard output' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l video-track -d 'Save track N alone of multitrack video; 0 is the first one, and the only one of other streams' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l audio-track -d 'The same for audio' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l trace -d 'Write the conversation to this file (pcapng), for Wireshark and rtmpcat trace: as RTMP over TCP at port 1935, without TLS, RTMPE and tunnel. Passwords and tokens are in it as they were sent' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l bind -d 'Local address to connect from' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s S -l socks -d 'SOCKS4 proxy; its port is 1080 unless given' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l proxy -d 'Proxy: [socks4|socks4a|socks5|socks5h|http]://[user:password@]host[:port]; without it that of ALL_PROXY, unless NO_PROXY names the host; "" is none at all' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l cafile -d 'Trust the certificates in this PEM file instead of the system\'s (rtmps, rtmpts)' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l pin -d 'Accept only servers with this public key, besides all other checks; several with ; between them' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l cert -d 'PEM file of a client certificate, and perhaps of its key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l key -d 'PEM file of the client certificate\'s private key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l amf3 -d 'Speak AMF 3: announce objectEncoding 3 and send the arguments in it'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l full -d 'Print the whole reply as one object: name, transaction, command object, arguments'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s Y -l playlist -d 'Send set_playlist before play'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s v -l live -d 'The stream is live'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s R -l realtime -d 'Let the server set the pace: no pausing and unpausing when its buffer is empty'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s e -l resume -d 'Go on with the file where it breaks off (on-demand streams only); the same as without where there is none'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l absolute-timestamps -d 'Keep the server\'s timestamps instead of counting from 0'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s # -l hashes -d 'Show progress as hash marks'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s q -l quiet -d 'Say nothing'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s V -l verbose -d 'Say more: what is asked for, what is answered'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s z -l debug -d 'Say everything, bytes on the wire included'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l digest -d 'Ask for the digest handshake'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l strict-order -d 'Wait for each answer before the next command'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l fast-start -d 'Send connect, createStream and play together'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l no-redirect -d 'Do not follow redirects'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l index -d 'Begin a file with metadata that has its duration, size and keyframe index, kept up to date while it grows: it can be sought in at any time. Not on a pipe [default]'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l no-index -d 'Write the server\'s metadata as it is, without an index'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l legacy -d 'Do not announce Enhanced RTMP (fourCcList, capsEx, ...): send what Flash Player sent'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l legacy-tags -d 'Save H.264 and AAC that come with the headers of Enhanced RTMP (avc1, mp4a) with the old ones, for players that do not know these; of several tracks choose one'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l log-messages -d 'Print each message on a line: time, connection, direction, chunk stream, message stream, timestamp, type, length, contents; with --debug its bytes as well'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l ipv4 -d 'Use IPv4 only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l ipv6 -d 'Use IPv6 only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l tunnel-ident -d 'Ask for /fcs/ident2 before a tunnel is opened, as Flash Player does (rtmpt, rtmpts, rtmpte)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l insecure -d 'Accept any certificate: anybody on the way can then read and change everything'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l format -d 'How the result is printed' -r -f -a "text\t'For people; a table for several URLs'
json\t'A line of JSON for each URL'
nagios\t'A line for Nagios, with performance data'
prometheus\t'Metrics for Prometheus\' textfile collector'"
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l time -d 'Seconds to look at the stream; by default until codecs, rates and one group of pictures are known, at most 20' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l report -d 'Also write a page with plots of bit rate, frame intervals and A/V offset; 20 seconds are watched if --time says no other' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l require -d 'What has to be there: video, audio, video=CODEC or audio=CODEC (h264, h265, av1, vp9, aac, opus, mp3, ...). Repeatable' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l min-bitrate -d 'Lowest bit rate of all tracks together, in bits per second (k and M are understood)' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l max-first-frame -d 'Longest time to the first keyframe (without video: to the first sound), in seconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l max-gop -d 'Longest distance of two keyframes, in seconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l max-av-offset -d 'Furthest that video and audio may be apart on average, in milliseconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l min-cert-days -d 'Fewest days that the server\'s certificate has to be valid for (rtmps, rtmpts), e.g. 14:3' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s r -l rtmp -d 'Stream to play, as the positional argument' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s i -l url -d 'Stream to play, in librtmp\'s form: "URL key=value key=value"; the keys start and stop are in milliseconds, \\20 is a space in a value' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s n -l host -d 'Host, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s c -l port -d 'Port, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s l -l protocol -d 'Protocol: 0 rtmp, 1 rtmpt, 2 rtmpe, 3 rtmpte, 4 rtmps, 5 rtmpts' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s a -l app -d 'Application, in place of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s y -l playpath -d 'Stream name, in place of the URL\'s; taken as it is' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s d -l subscribe -d 'Name for FCSubscribe (with --live: the stream\'s)' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s A -l start -d 'Start this many seconds into an on-demand stream' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s B -l stop -d 'Stop at this many seconds into the stream; held by rtmpcat itself, for live streams too' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s b -l buffer -d 'Buffer length to announce, in milliseconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s o -l flv -d 'File to write; - or nothing is standard output' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s k -l skip -d 'With --resume: go on from so many keyframes before the last one' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s t -l tcUrl -d 'tcUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s p -l pageUrl -d 'pageUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s s -l swfUrl -d 'swfUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s W -l swfVfy -d 'SWF file of the player, by its URL: sent as swfUrl, fetched (through --proxy, trusting --cafile, where these are given), and proved to be known when the server asks' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s X -l swfAge -d 'Days for which a fetched SWF file is not asked for again; 0: ask each time [30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s w -l swfhash -d 'Hash of the unpacked SWF file (HMAC-SHA256, 64 hexadecimal digits), in place of --swfVfy; with --swfsize' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s x -l swfsize -d 'Size of the unpacked SWF file in bytes; with --swfhash' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s f -l flashVer -d 'Flash Player version to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s u -l auth -d 'String to append to connect, behind a true' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s C -l conn -d 'Value to append to connect: B:0|1, N:number, S:text, Z:, O:1 … O:0 with NB:, NN:, NS:, NO: inside. Repeatable' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s T -l token -d 'Key of SecureToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l user -d 'User for servers that ask for one (authmod); also rtmp://USER:PASSWORD@host and RTMPCAT_USER' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l password-file -d 'File with the password in its first line; also RTMPCAT_PASSWORD, both of which keep it out of the list of processes' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s j -l jtv -d 'Token for NetStream.Authenticate.UsherToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s m -l timeout -d 'Seconds without media after which the stream counts as stalled; 0: wait for ever' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l connect-timeout -d 'Seconds for each step of getting there: resolve, connect, handshake, commands' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l first-media-timeout -d 'Seconds from play to the first media' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l duration -d 'Stop after this many seconds of wall-clock time' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l max-size -d 'Stop when the output has this many bytes' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l segment-time -d 'Begin a new file at the first keyframe from every SECONDS of the recording on. In the name (-o) strftime\'s % stand for the time at which a file is begun, %{n:4} for its number in four digits at least (without the :4, in as many as it takes); a name without any gets a hyphen and the number. A file has .part behind its name until it is complete, and never takes the place of another' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l segment-size -d 'Begin a new file at the first keyframe once one has this many bytes' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l segment-on -d 'Begin a new file at the first keyframe behind a change' -r -f -a "codec-change\t'Another codec, or another configuration of it'"
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l on-segment -d 'Program to run (without a shell) for each complete file, with its name; one after the other, beside the recording. What it writes to standard output goes to standard error' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l keep -d 'Keep the newest N complete files; older ones of the same run are removed, once CMD has had them' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l retry -d 'Connect again when the connection breaks or stalls, up to N times in a row without media (inf: for ever). A live stream goes on in the same file at its next keyframe. What the server refuses is not tried again' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l retry-delay -d 'Seconds before the first of these attempts; twice as many before each one that follows, up to 30, all a little at random [1]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l retry-max-time -d 'Give up when the stream has not come back within this many seconds' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l wait -d 'Wait for a stream that is not there yet (for so long): not found, not published, nobody listening. With --retry also for a publisher who has left to come back' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l fsync -d 'Have the system bring the file to the disk this often, at the cost of speed [never]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l events -d 'Tell what happens in lines of JSON: to a file, a file descriptor that is open (a number), or - for standard output' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l video-track -d 'Save track N alone of multitrack video; 0 is the first one, and the only one of other streams' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l audio-track -d 'The same for audio' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l trace -d 'Write the conversation to this file (pcapng), for Wireshark and rtmpcat trace: as RTMP over TCP at port 1935, without TLS, RTMPE and tunnel. Passwords and tokens are in it as they were sent' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l bind -d 'Local address to connect from' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s S -l socks -d 'SOCKS4 proxy; its port is 1080 unless given' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l proxy -d 'Proxy: [socks4|socks4a|socks5|socks5h|http]://[user:password@]host[:port]; without it that of ALL_PROXY, unless NO_PROXY names the host; "" is none at all' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l cafile -d 'Trust the certificates in this PEM file instead of the system\'s (rtmps, rtmpts)' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l pin -d 'Accept only servers with this public key, besides all other checks; several with ; between them' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l cert -d 'PEM file of a client certificate, and perhaps of its key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l key -d 'PEM file of the client certificate\'s private key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l watch -d 'Show how the stream goes, until Ctrl-C (or for --time): a view on a terminal, else a line each second, on standard error'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s Y -l playlist -d 'Send set_playlist before play'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s v -l live -d 'The stream is live'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s R -l realtime -d 'Let the server set the pace: no pausing and unpausing when its buffer is empty'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s e -l resume -d 'Go on with the file where it breaks off (on-demand streams only); the same as without where there is none'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l absolute-timestamps -d 'Keep the server\'s timestamps instead of counting from 0'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s # -l hashes -d 'Show progress as hash marks'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s q -l quiet -d 'Say nothing'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s V -l verbose -d 'Say more: what is asked for, what is answered'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s z -l debug -d 'Say everything, bytes on the wire included'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l digest -d 'Ask for the digest handshake'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l strict-order -d 'Wait for each answer before the next command'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l fast-start -d 'Send connect, createStream and play together'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l no-redirect -d 'Do not follow redirects'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l index -d 'Begin a file with metadata that has its duration, size and keyframe index, kept up to date while it grows: it can be sought in at any time. Not on a pipe [default]'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l no-index -d 'Write the server\'s metadata as it is, without an index'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l legacy -d 'Do not announce Enhanced RTMP (fourCcList, capsEx, ...): send what Flash Player sent'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l legacy-tags -d 'Save H.264 and AAC that come with the headers of Enhanced RTMP (avc1, mp4a) with the old ones, for players that do not know these; of several tracks choose one'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l log-messages -d 'Print each message on a line: time, connection, direction, chunk stream, message stream, timestamp, type, length, contents; with --debug its bytes as well'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l ipv4 -d 'Use IPv4 only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l ipv6 -d 'Use IPv6 only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l tunnel-ident -d 'Ask for /fcs/ident2 before a tunnel is opened, as Flash Player does (rtmpt, rtmpts, rtmpte)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l insecure -d 'Accept any certificate: anybody on the way can then read and change everything'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -l tags -d 'List every tag'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -l json -d 'Print JSON'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -l strict -d 'Let warnings count as errors'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -s q -l quiet -d 'Print nothing: the exit code tells'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s o -l output -d 'Write the repaired file here and leave FILE alone' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s q -l quiet -d 'Say nothing but errors'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s V -l verbose -d 'Name each fault'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand trace" -l connection -d 'Show only the connection of this number' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand trace" -l no-media -d 'Leave out audio, video and aggregates'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand trace" -s z -l debug -d 'Show the bytes of each message as well'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand trace" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from serve demo call probe inspect repair trace help" -f -a "serve" -d 'Serve FLV files, or a live test pattern, over RTMP'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from serve demo call probe inspect repair trace help" -f -a "demo" -d 'Start the built-in server, save some seconds of its test pattern to demo.flv, and say what was saved'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from serve demo call probe inspect repair trace help" -f -a "call" -d 'Call a method of the server and print its reply as JSON'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from serve demo call probe inspect repair trace help" -f -a "probe" -d 'Tell whether a server is all right and what is in its stream'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from serve demo call probe inspect repair trace help" -f -a "inspect" -d 'Tell what is in an FLV file and what is wrong with it'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from serve demo call probe inspect repair trace help" -f -a "repair" -d 'Make a sound and seekable FLV of a cut, damaged or foreign one'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from serve demo call probe inspect repair trace help" -f -a "trace" -d 'List the RTMP messages in a capture (pcapng or pcap)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from serve demo call probe inspect repair trace help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rtmpcat_global_optspecs
    string join \n version o/output= e/resume progress k/skip= absolute-timestamps index no-index fsync= events= #/hashes r/rtmp= i/url= v/live A/start= y/playpath= b/buffer= first-media-timeout= B/stop= duration= max-size= R/realtime segment-time= segment-size= segment-on= on-segment= keep= retry= wait= retry-delay= retry-max-time= video-track= audio-track= legacy-tags m/timeout= user= password-file= connect-timeout= n/host= c/port= l/protocol= a/app= 4/ipv4 6/ipv6 bind= no-redirect proxy= S/socks= tunnel-ident cafile= pin= insecure cert= key= q/quiet V/verbose z/debug trace= log-messages d/subscribe= Y/playlist strict-order fast-start t/tcUrl= p/pageUrl= s/swfUrl= W/swfVfy= X/swfAge= w/swfhash= x/swfsize= f/flashVer= u/auth= C/conn= T/token= j/jtv= digest legacy h/help
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

complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s o -l output -l flv -d 'Write to FILE; - is standard output' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s k -l skip -d 'With --resume: resume N keyframes before the last one [default: 0]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l fsync -d 'fsync the file every TIME (slower) [default: never]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l events -d 'Write events as JSON lines to a file, an open file descriptor (a number), or - for standard output' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s r -l rtmp -d 'URL of the stream, same as the positional argument' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s i -l url -d 'URL with librtmp parameters: "URL key=value key=value"; the keys start and stop are in milliseconds, \\20 is a space in a value' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s A -l start -d 'Start TIME into an on-demand stream' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s y -l playpath -d 'Stream name, overrides the URL\'s; used verbatim' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s b -l buffer -d 'Buffer length to announce to the server, in milliseconds [default: 36000000; probe: 10000]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l first-media-timeout -d 'Timeout from play to the first media [default: --timeout]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s B -l stop -d 'Stop at TIME of the stream' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l duration -d 'Stop after TIME of real time' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l max-size -d 'Stop when the output has reached SIZE (bytes, or 500k, 2G)' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l segment-time -d 'Start a new file every TIME, at a keyframe' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l segment-size -d 'Start a new file at the first keyframe after SIZE (bytes, or 500k, 2G)' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l segment-on -d 'Start a new file at the first keyframe after a change' -r -f -a "codec-change\t'Another codec, or another configuration of it'"
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l on-segment -d 'Run CMD (without a shell) for each complete file, with the file\'s name as its argument, one at a time' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l keep -d 'Keep the newest N complete files; delete older ones after CMD has processed them' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l retry -d 'Reconnect up to N times in a row; inf never gives up' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l wait -d 'Wait until the stream is available (at most TIME)' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l retry-delay -d 'Initial retry delay, doubled after each attempt (at most 30 s) [default: 1]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l retry-max-time -d 'Give up when the stream has been missing for TIME [default: never]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l video-track -d 'Save only video track N of a multitrack stream [first: 0]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l audio-track -d 'Save only audio track N' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s m -l timeout -d 'Fail if no media arrives for TIME; 0 waits forever [default: 30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l user -d 'Log in as NAME if the server requests authentication' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l password-file -d 'Read the password from the first line of FILE' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l connect-timeout -d 'Timeout for each connection step: resolve, connect, handshake, commands [default: --timeout if given, else 10]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s n -l host -d 'Host to connect to, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s c -l port -d 'Port to connect to, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s l -l protocol -d 'Protocol, instead of the URL\'s: 0 rtmp, 1 rtmpt, 2 rtmpe, 3 rtmpte, 4 rtmps, 5 rtmpts' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s a -l app -d 'Application, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l bind -d 'Connect from this local address' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l proxy -d 'Use a SOCKS or HTTP proxy' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s S -l socks -d 'Use a SOCKS4 proxy [default port: 1080]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l cafile -d 'Trust the CA certificates in this PEM file instead of the system\'s (rtmps, rtmpts)' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l pin -d 'Accept only servers with this public key, in addition to the usual checks; separate keys with ;' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l cert -d 'PEM file with a client certificate, and optionally its private key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l key -d 'PEM file with the private key of the client certificate' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l trace -d 'Write the conversation to a pcapng file, for Wireshark and rtmpcat trace' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s d -l subscribe -d 'Stream name for FCSubscribe [default with --live: the stream\'s name]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s t -l tcUrl -d 'tcUrl to send with connect [default: from the URL]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s p -l pageUrl -d 'pageUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s s -l swfUrl -d 'swfUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s W -l swfVfy -d 'URL of the player\'s SWF file, for SWF verification; also sent as swfUrl' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s X -l swfAge -d 'Cache a downloaded SWF file for DAYS days; 0 revalidates every time [default: 30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s w -l swfhash -d 'HMAC-SHA256 of the decompressed SWF file (64 hex digits), instead of --swfVfy' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s x -l swfsize -d 'Size of the decompressed SWF file in bytes, for --swfhash' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s f -l flashVer -d 'Flash Player version to send with connect [default: LNX 10,0,32,18]' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s u -l auth -d 'Append the boolean true and this string to connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s C -l conn -d 'Append a value to connect: B:0|1, N:NUMBER, S:TEXT, Z:, O:1 ... O:0 with NB:, NN:, NS:, NO: inside; repeatable' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s T -l token -d 'Key for SecureToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s j -l jtv -d 'Token for NetStream.Authenticate.UsherToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l version -d 'Print the version, features and platform'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s e -l resume -d 'Append to an existing partial file (on-demand only)'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l progress -d 'Show progress even if standard error is not a terminal'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l absolute-timestamps -d 'Keep the server\'s timestamps instead of starting at 0'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l index -d 'Write duration, size and a keyframe index at the start of the file and keep them up to date, so that it is always seekable [default; not on a pipe]'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l no-index -d 'Write the server\'s metadata unchanged, without an index'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s '#' -l hashes -d 'Show progress as hash marks'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s v -l live -d 'Play a live stream'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s R -l realtime -d 'Let the server set the pace: do not pause/unpause to speed up the download'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l legacy-tags -d 'Convert Enhanced RTMP H.264/AAC tags to legacy FLV tags, for players that do not support the new ones'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l no-redirect -d 'Do not follow redirects'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l tunnel-ident -d 'Request /fcs/ident2 before opening an HTTP tunnel, as Flash Player does (rtmpt, rtmpts, rtmpte)'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l insecure -d 'Accept any certificate; the connection can then be intercepted'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s q -l quiet -d 'Print errors and warnings only; -qq prints nothing'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s V -l verbose -d 'Log requests, replies and metadata'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s z -l debug -d 'Log everything, including the bytes of the connection'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l log-messages -d 'Print each message on a line: time, direction, chunk stream, message stream, timestamp, type, length, contents'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s Y -l playlist -d 'Send set_playlist before play'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l strict-order -d 'Wait for each reply before sending the next command'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l fast-start -d 'Send connect, createStream and play together'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l digest -d 'Request the digest handshake'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -l legacy -d 'Do not announce Enhanced RTMP (fourCcList, capsEx, ...)'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "probe" -d 'Check a server\'s health and describe its stream'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "inspect" -d 'Describe FLV files and list their problems'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "repair" -d 'Repair a truncated or damaged FLV file and add a seek index'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "call" -d 'Call a method of the server and print its reply as JSON'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "trace" -d 'List the RTMP messages in a capture (pcapng or pcap)'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "serve" -d 'Serve FLV files, or a live test stream, over RTMP'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "demo" -d 'Record a few seconds of the built-in test stream to demo.flv'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "completions" -d 'Print a completion script for a shell'
complete -c rtmpcat -n "__fish_rtmpcat_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
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
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s A -l start -d 'Start TIME into an on-demand stream' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s y -l playpath -d 'Stream name, overrides the URL\'s; used verbatim' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s b -l buffer -d 'Buffer length to announce to the server, in milliseconds [default: 36000000; probe: 10000]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l first-media-timeout -d 'Timeout from play to the first media [default: --timeout]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s m -l timeout -d 'Fail if no media arrives for TIME; 0 waits forever [default: 30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l user -d 'Log in as NAME if the server requests authentication' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l password-file -d 'Read the password from the first line of FILE' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l connect-timeout -d 'Timeout for each connection step: resolve, connect, handshake, commands [default: --timeout if given, else 10]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s n -l host -d 'Host to connect to, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s c -l port -d 'Port to connect to, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s l -l protocol -d 'Protocol, instead of the URL\'s: 0 rtmp, 1 rtmpt, 2 rtmpe, 3 rtmpte, 4 rtmps, 5 rtmpts' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s a -l app -d 'Application, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l bind -d 'Connect from this local address' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l proxy -d 'Use a SOCKS or HTTP proxy' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s S -l socks -d 'Use a SOCKS4 proxy [default port: 1080]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l cafile -d 'Trust the CA certificates in this PEM file instead of the system\'s (rtmps, rtmpts)' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l pin -d 'Accept only servers with this public key, in addition to the usual checks; separate keys with ;' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l cert -d 'PEM file with a client certificate, and optionally its private key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l key -d 'PEM file with the private key of the client certificate' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l trace -d 'Write the conversation to a pcapng file, for Wireshark and rtmpcat trace' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s d -l subscribe -d 'Stream name for FCSubscribe [default with --live: the stream\'s name]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s t -l tcUrl -d 'tcUrl to send with connect [default: from the URL]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s p -l pageUrl -d 'pageUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s s -l swfUrl -d 'swfUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s W -l swfVfy -d 'URL of the player\'s SWF file, for SWF verification; also sent as swfUrl' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s X -l swfAge -d 'Cache a downloaded SWF file for DAYS days; 0 revalidates every time [default: 30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s w -l swfhash -d 'HMAC-SHA256 of the decompressed SWF file (64 hex digits), instead of --swfVfy' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s x -l swfsize -d 'Size of the decompressed SWF file in bytes, for --swfhash' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s f -l flashVer -d 'Flash Player version to send with connect [default: LNX 10,0,32,18]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s u -l auth -d 'Append the boolean true and this string to connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s C -l conn -d 'Append a value to connect: B:0|1, N:NUMBER, S:TEXT, Z:, O:1 ... O:0 with NB:, NN:, NS:, NO: inside; repeatable' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s T -l token -d 'Key for SecureToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s j -l jtv -d 'Token for NetStream.Authenticate.UsherToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l watch -d 'Show how the stream goes, until Ctrl-C (or for --time): a view on a terminal, else a line each second, on standard error'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s v -l live -d 'Play a live stream'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l no-redirect -d 'Do not follow redirects'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l tunnel-ident -d 'Request /fcs/ident2 before opening an HTTP tunnel, as Flash Player does (rtmpt, rtmpts, rtmpte)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l insecure -d 'Accept any certificate; the connection can then be intercepted'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s q -l quiet -d 'Print errors and warnings only; -qq prints nothing'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s V -l verbose -d 'Log requests, replies and metadata'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s z -l debug -d 'Log everything, including the bytes of the connection'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l log-messages -d 'Print each message on a line: time, direction, chunk stream, message stream, timestamp, type, length, contents'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s Y -l playlist -d 'Send set_playlist before play'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l strict-order -d 'Wait for each reply before sending the next command'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l fast-start -d 'Send connect, createStream and play together'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l digest -d 'Request the digest handshake'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -l legacy -d 'Do not announce Enhanced RTMP (fourCcList, capsEx, ...)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -l tags -d 'List every tag'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -l json -d 'Print JSON'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -l strict -d 'Treat warnings as errors'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -s q -l quiet -d 'Print nothing; report by exit code'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s o -l output -d 'Write the repaired file to FILE and leave the original unchanged' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -l backup -d 'Keep the original as FILE.bak'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s n -l dry-run -d 'List what would be repaired, but change nothing'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s q -l quiet -d 'Print errors only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s V -l verbose -d 'List every fault'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand repair" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s m -l timeout -d 'Fail if no media arrives for TIME; 0 waits forever [default: 30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l user -d 'Log in as NAME if the server requests authentication' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l password-file -d 'Read the password from the first line of FILE' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l connect-timeout -d 'Timeout for each connection step: resolve, connect, handshake, commands [default: --timeout if given, else 10]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s n -l host -d 'Host to connect to, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s c -l port -d 'Port to connect to, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s l -l protocol -d 'Protocol, instead of the URL\'s: 0 rtmp, 1 rtmpt, 2 rtmpe, 3 rtmpte, 4 rtmps, 5 rtmpts' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s a -l app -d 'Application, instead of the URL\'s' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l bind -d 'Connect from this local address' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l proxy -d 'Use a SOCKS or HTTP proxy' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s S -l socks -d 'Use a SOCKS4 proxy [default port: 1080]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l cafile -d 'Trust the CA certificates in this PEM file instead of the system\'s (rtmps, rtmpts)' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l pin -d 'Accept only servers with this public key, in addition to the usual checks; separate keys with ;' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l cert -d 'PEM file with a client certificate, and optionally its private key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l key -d 'PEM file with the private key of the client certificate' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l trace -d 'Write the conversation to a pcapng file, for Wireshark and rtmpcat trace' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s t -l tcUrl -d 'tcUrl to send with connect [default: from the URL]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s p -l pageUrl -d 'pageUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s s -l swfUrl -d 'swfUrl to send with connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s W -l swfVfy -d 'URL of the player\'s SWF file, for SWF verification; also sent as swfUrl' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s X -l swfAge -d 'Cache a downloaded SWF file for DAYS days; 0 revalidates every time [default: 30]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s w -l swfhash -d 'HMAC-SHA256 of the decompressed SWF file (64 hex digits), instead of --swfVfy' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s x -l swfsize -d 'Size of the decompressed SWF file in bytes, for --swfhash' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s f -l flashVer -d 'Flash Player version to send with connect [default: LNX 10,0,32,18]' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s u -l auth -d 'Append the boolean true and this string to connect' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s C -l conn -d 'Append a value to connect: B:0|1, N:NUMBER, S:TEXT, Z:, O:1 ... O:0 with NB:, NN:, NS:, NO: inside; repeatable' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s T -l token -d 'Key for SecureToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s j -l jtv -d 'Token for NetStream.Authenticate.UsherToken' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l amf3 -d 'Use AMF 3: announce objectEncoding 3 and encode the arguments in it'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l full -d 'Print the whole reply as one object: name, transaction, command object, arguments'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l no-redirect -d 'Do not follow redirects'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l tunnel-ident -d 'Request /fcs/ident2 before opening an HTTP tunnel, as Flash Player does (rtmpt, rtmpts, rtmpte)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l insecure -d 'Accept any certificate; the connection can then be intercepted'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s q -l quiet -d 'Print errors and warnings only; -qq prints nothing'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s V -l verbose -d 'Log requests, replies and metadata'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s z -l debug -d 'Log everything, including the bytes of the connection'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l log-messages -d 'Print each message on a line: time, direction, chunk stream, message stream, timestamp, type, length, contents'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l digest -d 'Request the digest handshake'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -l legacy -d 'Do not announce Enhanced RTMP (fourCcList, capsEx, ...)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand call" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand trace" -l connection -d 'Show only connection number N' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand trace" -l no-media -d 'Leave out audio, video and aggregates'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand trace" -s z -l debug -d 'Show the bytes of each message as well'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand trace" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen -d 'Listen for rtmp and rtmpe on this address and port; port 0 picks a free one' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen-tls -d 'Also listen for rtmps on this address and port' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen-tunnel -d 'Also listen for HTTP tunnels (rtmpt, rtmpte) on this address and port' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen-tunnel-tls -d 'Also listen for HTTP tunnels over TLS (rtmpts) on this address and port' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l listen-rtmfp -d 'Also listen for rtmfp on this address and UDP port' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l cert -d 'PEM file with the TLS certificate, and optionally its private key [default: a self-signed one]' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l key -d 'PEM file with the certificate\'s private key' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l write-cert -d 'Write the self-signed certificates to FILE, for clients to trust (rtmpcat --cafile FILE)' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l chunk-size -d 'Chunk size to send, in bytes' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l user -d 'Require login as this user, with the password of --password-file' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l password-file -d 'Read the password from the first line of FILE' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l authmod -d 'Authentication scheme' -r -f -a "adobe\t''
llnw\t''"
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l secure-token -d 'Require SecureToken with this key' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l swf-verify -d 'Require SWF verification against this file' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l max-clients -d 'Exit after N clients have disconnected' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -l fast -d 'Send files as fast as the client reads, whatever buffer it announces'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -s q -l quiet -d 'Print errors only'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand serve" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand demo" -s o -l output -d 'File to write' -r -F
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand demo" -l seconds -d 'How much to record' -r
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand demo" -s h -l help -d 'Print help'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "probe" -d 'Check a server\'s health and describe its stream'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "inspect" -d 'Describe FLV files and list their problems'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "repair" -d 'Repair a truncated or damaged FLV file and add a seek index'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "call" -d 'Call a method of the server and print its reply as JSON'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "trace" -d 'List the RTMP messages in a capture (pcapng or pcap)'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "serve" -d 'Serve FLV files, or a live test stream, over RTMP'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "demo" -d 'Record a few seconds of the built-in test stream to demo.flv'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c rtmpcat -n "__fish_rtmpcat_using_subcommand help; and not __fish_seen_subcommand_from probe inspect repair call trace serve demo completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

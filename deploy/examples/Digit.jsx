// A React component (18 or 19) that reads the digit on a picture: <Digit picture={file} />, a File or Blob.
// The service must name the origin of the page: FILTERSCOPE_CORS_ORIGINS=http://localhost:3000
import { useEffect, useState } from "react";

/** The answer of the service for a picture: {verdict}, {refusal}, or neither while it is under way. */
export function useVerdict(picture, service) {
  const [answer, setAnswer] = useState({});
  useEffect(() => {
    if (!picture) return;
    const left = new AbortController();
    setAnswer({});
    fetch(`${service}/v1/classify`, { method: "POST", body: picture, signal: left.signal })
      .then(async (response) => {
        const body = await response.json();
        // A refusal is problem+json: its detail says what was wanted and what came.
        setAnswer(response.ok ? { verdict: body.results[0] } : { refusal: body.detail });
      })
      .catch((error) => left.signal.aborted || setAnswer({ refusal: `The service did not answer: ${error.message}` }));
    // Another picture, or another page: the service is told that no one waits any more.
    return () => left.abort();
  }, [picture, service]);
  return answer;
}

export function Digit({ picture, service = "http://127.0.0.1:8000" }) {
  const { verdict, refusal } = useVerdict(picture, service);
  if (refusal) return <p role="alert">{refusal}</p>;
  if (!verdict) return <p aria-busy="true">Reading</p>;
  return (
    <figure>
      <figcaption>
        {verdict.digit}, {(100 * verdict.confidence).toFixed(1)} %{verdict.is_digit === false && ", unlike any digit"}
      </figcaption>
      {verdict.probabilities.map((probability, digit) => (
        <div key={digit}>
          {digit} <meter value={probability} /> 
        </div>
      ))}
    </figure>
  );
}
